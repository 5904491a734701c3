"""Scaling of vectors and numbers for networks: shared helpers."""

from __future__ import annotations

from torch import Tensor


def standardized(vectors: Tensor) -> Tensor:
    """`vectors` `[n, D]` with zero mean and an average variance of one over the rows.

    The dimensions keep their relative scale. Sentence embeddings have a large common component and tiny entries. A linear
    map learns an order of magnitude faster without the common component and with entries of ordinary size.
    """
    centre, scale = standardization(vectors)
    return (vectors - centre) / scale


def standardization(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The centre `[D]` and the scale, a scalar, by which `standardized` maps vectors `[n, D]`."""
    centre = vectors.mean(dim=0)
    return centre, (vectors - centre).pow(2).mean().sqrt().clamp(min=1e-8)


def symlog(values: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): nearly the identity for clicks and ratings; compresses seconds and counts (Hafner et al., 2023)."""
    return values.sign() * values.abs().log1p()
