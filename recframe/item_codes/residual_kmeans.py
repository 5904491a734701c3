"""Residual k-means: each level's codes are clusters of what the levels before have left over (Jegou et al. 2010; OneRec, 2025).

r_0 = v,   c_l = argmin_k |r_(l-1) - C_l[k]|,   r_l = r_(l-1) - C_l[c_l],   v is read as the sum over l of C_l[c_l]
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

VECTORS_A_CODE = 256
"""A level's clusters are found among this many vectors a code, drawn at random: more hardly move them (the rule of faiss)."""

ITERATIONS = 50
BATCH = 16_384
"""Vectors whose codes are computed at once."""


def fit_codebooks(vectors: Tensor, levels: int, size: int, seed: int) -> Tensor:
    """The codebooks `[levels, min(size, M), D]` float32 of `vectors` `[M, D]`, on their device."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(vectors), generator=generator)[: VECTORS_A_CODE * size]
    residual = vectors[chosen.to(vectors.device)].float().cpu()
    codebooks = []
    for level in range(levels):
        codebook = _centroids(residual, min(size, len(residual)), seed + level)
        residual = residual - codebook[_nearest(residual, codebook)]
        codebooks.append(codebook)
    return torch.stack(codebooks).to(vectors.device)


def residual_codes(vectors: Tensor, codebooks: Tensor) -> Tensor:
    """The codes `[n, levels]` int64 of `vectors` `[n, D]`."""
    return torch.cat([_codes(batch.float(), codebooks) for batch in vectors.split(BATCH)])


def sum_of_codes(codes: Tensor, codebooks: Tensor) -> Tensor:
    """The vectors `[n, D]` that the codes `[n, levels]` stand for."""
    total = codebooks[0][codes[:, 0]]
    for codebook, column in zip(codebooks[1:], codes.unbind(1)[1:], strict=True):
        total = total + codebook[column]
    return total


def _codes(residual: Tensor, codebooks: Tensor) -> Tensor:
    codes = []
    for codebook in codebooks:
        codes.append(_nearest(residual, codebook))
        residual = residual - codebook[codes[-1]]
    return torch.stack(codes, dim=1)


def _nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """The code nearest to each vector: |v - c|^2 is smallest where 2 v.c - |c|^2 is largest."""
    return (2 * vectors @ codebook.T - codebook.square().sum(1)).argmax(1)


def _centroids(vectors: Tensor, size: int, seed: int) -> Tensor:
    # scikit-learn is imported only where codes are computed
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # fewer different vectors than codes: the codes that are left over are not used
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(size, n_init=1, max_iter=ITERATIONS, random_state=seed % 2**32).fit(vectors.numpy())
    return torch.from_numpy(fitted.cluster_centers_).float()
