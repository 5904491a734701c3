"""Bringing vectors and numbers to a scale that networks learn from: shared helpers for whoever feeds one."""

from __future__ import annotations

from torch import Tensor


def standardized(vectors: Tensor) -> Tensor:
    """`vectors` `[n, D]` with zero mean and an average variance of one over the rows.

    The dimensions keep their relative scale. Sentence embeddings share a large common component and have tiny entries; a linear
    map learns an order of magnitude faster without the one and on the other's natural scale.
    """
    centre, scale = standardization(vectors)
    return (vectors - centre) / scale


def standardization(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The centre `[D]` and the scale, a scalar, by which `standardized` maps vectors `[n, D]`."""
    centre = vectors.mean(dim=0)
    return centre, (vectors - centre).pow(2).mean().sqrt().clamp(min=1e-8)


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): leaves clicks and ratings nearly alone and tames seconds and counts (Hafner et al., 2023)."""
    return values.sign() * values.abs().log1p()
