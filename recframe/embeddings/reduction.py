"""Whitening and dimension reduction of text vectors by one affine map, fitted on the items and applied to every text.

The map is applied to what the store gives, so that the cached vectors do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recframe.embeddings.encoding import EmbeddingError
from recframe.interfaces import covariance_matrix, principal_components


@dataclass(frozen=True)
class AffineMap:
    """x -> (x - mean) matrix, for vectors `[..., D]`; mean `[D]`, matrix `[D, d]`. Gradients pass through it."""

    mean: Tensor
    matrix: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """The mapped vectors `[..., d]`."""
        return (vectors - self.mean) @ self.matrix

    def to(self, device: torch.device) -> AffineMap:
        """The same map on `device`."""
        return AffineMap(self.mean.to(device), self.matrix.to(device))


def fit_reduction(vectors: Tensor, *, whiten: bool, dim: int | None) -> AffineMap:
    """The map onto the first `dim` principal components of `vectors` `[n, D]`; None: onto all in which they vary.

    With `whiten` each component is divided by its standard deviation (PCA whitening; Su et al., 2021, arXiv:2103.15316): sentence
    vectors of language models vary most in directions that say little. Components come in order of variance, and each one's largest
    weight is positive, so that the same vectors always give the same map.

    Raises
    ------
    EmbeddingError: the vectors do not vary in so many dimensions.
    """
    count, size = vectors.shape
    if dim is not None and dim > size:
        raise EmbeddingError(f"embeddings.dim={dim}: the encoder's vectors have {size} dimensions; choose fewer, or null for all")
    mean = vectors.mean(dim=0, dtype=torch.float64)
    components = principal_components(covariance_matrix(vectors, mean))
    variances = components.variances
    # as numpy's matrix_rank has it, for numbers of the vectors' own precision: beyond is rounding, which whitening would blow up
    tolerance = (max(count, size) * torch.finfo(vectors.dtype).eps) ** 2
    rank = int((variances > variances[:1] * tolerance).sum())
    wanted = rank if dim is None else dim
    if not 0 < wanted <= rank:
        reason = f"the vectors of {count:,} different items vary in {rank} dimensions only"
        setting = "embeddings.whiten" if dim is None else f"embeddings.dim={dim}"
        raise EmbeddingError(f"{setting}: {reason}; choose {f'at most {rank}' if rank else 'an encoder that tells items apart'}")
    components = components.leading(wanted).with_fixed_signs()
    if whiten:
        components = components.whitened()
    return AffineMap(mean.to(vectors), components.axes.to(vectors))
