"""Principal components (PCA) of sets of vectors, from the eigenvectors of their covariance matrix."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK_ROWS = 65_536
"""Rows that are held in float64 at once."""

RELATIVE_TOLERANCE = 1e-12
"""Components with at most this share of the first one's variance are rounding errors."""


class PrincipalComponents(NamedTuple):
    """Directions in which vectors of D dims vary, in descending order of variance.

    Attributes
    ----------
    variances: `[d]`, along each axis; sums of squares if the decomposed matrix was not divided by the number of vectors.
    axes: `[D, d]`, one column a component, of length one unless `rescaled`.
    """

    variances: Tensor
    axes: Tensor

    def leading(self, dims: int) -> PrincipalComponents:
        """The first `dims` components, or all if there are fewer."""
        return PrincipalComponents(self.variances[:dims], self.axes[:, :dims])

    def with_fixed_signs(self) -> PrincipalComponents:
        """The same components, each with the sign that makes its largest entry positive.

        The sign of an eigenvector is arbitrary and can differ between machines.
        """
        largest = self.axes.gather(0, self.axes.abs().argmax(dim=0, keepdim=True))
        return PrincipalComponents(self.variances, self.axes * largest.sign())

    def rescaled(self) -> PrincipalComponents:
        """The same components, with axes on which the coordinates have an average variance of one. Their relative scale stays."""
        variance = self.variances.flip(0).mean().clamp(min=1e-12)
        return PrincipalComponents(self.variances / variance, self.axes / variance.sqrt())

    def whitened(self) -> PrincipalComponents:
        """The same components, with axes on which each coordinate has a variance of one."""
        return PrincipalComponents(torch.ones_like(self.variances), self.axes / self.variances.sqrt())


def principal_components(matrix: Tensor) -> PrincipalComponents:
    """All D principal components, given the covariance matrix `[D, D]` of the vectors or a multiple of it."""
    variances, axes = torch.linalg.eigh(matrix)
    # eigh sorts in ascending order
    return PrincipalComponents(variances.flip(0), axes.flip(1))


def covariance_matrix(vectors: Tensor, mean: Tensor) -> Tensor:
    """The covariance `[D, D]` float64 of `vectors` `[n, D]` around `mean` `[D]` float64, divided by n. Computed in chunks of rows."""
    covariance = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64, device=vectors.device)
    for chunk in torch.split(vectors, CHUNK_ROWS):
        centred = chunk.double() - mean
        covariance += centred.T @ centred / len(vectors)
    return covariance


def principal_coordinates(vectors: Tensor, dims: int) -> Tensor:
    """Coordinates `[n, d]` float64 of centred `vectors` `[n, D]` on their leading principal components, d = min(dims, n, D).

    They are computed on the CPU from the smaller of the two products of the centred vectors, `[D, D]` or `[n, n]`.
    """
    centred = vectors.double().cpu()
    centred = centred - centred.mean(dim=0)
    rows, columns = centred.shape
    if columns <= rows:
        return centred @ principal_components(centred.T @ centred).leading(dims).axes
    squares, left = principal_components(centred @ centred.T)
    # directions in which nothing varies are rounding errors, which a caller must not scale up
    squares = torch.where(squares > RELATIVE_TOLERANCE * squares[0], squares, 0.0)
    return (left * squares.sqrt())[:, : min(dims, rows)]


def coordinates_by(vectors: Tensor, fitted: Tensor, dims: int) -> Tensor:
    """Coordinates `[n, d]` float64 of `vectors` `[n, D]` on the leading principal components of `fitted` `[m, D]`, d = min(dims, m, D).

    They are centred on the mean of `fitted`. On the CPU, from the smaller of the two products of its vectors, `[D, D]` or `[m, m]`.
    """
    known = fitted.double().cpu()
    mean = known.mean(dim=0)
    known = known - mean
    rows, columns = known.shape
    if columns <= rows:
        axes = principal_components(known.T @ known).leading(dims).axes
    else:
        squares, left = principal_components(known @ known.T).leading(min(dims, rows))
        # directions in which nothing varies are rounding errors, which a caller must not scale up
        varies = squares > RELATIVE_TOLERANCE * squares[0]
        axes = torch.where(varies, known.T @ left / squares.clamp(min=1e-300).sqrt(), 0.0)
    return (vectors.double().cpu() - mean) @ axes
