"""EASE: item weights in closed form (Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import DataError, EnvironmentSpec, Log, Observation
from recframe.references.logged.counted import CLICK
from recframe.references.logged.row_sums import RowSums, Terms
from recframe.references.logged.scorer import LogScorer


class EASE(LogScorer):
    """Scores items by a linear model of the whole history, `x' B`, that predicts every item from the others.

        min_B |X - X B|^2 + lambda |B|^2   with  diag(B) = 0
        P = (X' X + lambda I)^-1,   B_ij = -P_ij / P_jj  for i != j

    As published, x holds the value of each item of the history without regard to time (`decay` 1). lambda is 500, the published one for
    MovieLens-20M: fixed in advance, not chosen by any data.

    Raises
    ------
    DataError: there are more than `max_items` items: B has M^2 numbers, and the time to invert grows with M^3.
    """

    item_weights: Tensor

    def __init__(
        self, spec: EnvironmentSpec, *, regularization: float = 500.0, max_items: int = 20_000, weights: str = CLICK, decay: float = 1.0
    ) -> None:
        super().__init__(spec, weights, decay)
        self.regularization = regularization
        self.max_items = max_items
        self.register_buffer("item_weights", torch.zeros(0, 0, device=spec.device))

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Solve for B."""
        items = matrix.shape[1]
        if items > self.max_items:
            raise DataError(
                f"ease inverts a matrix of {items:,} x {items:,} items ({8 * items**2 / 2**30:.1f} GiB), and agent.max_items is "
                f"{self.max_items:,}: raise it if there is memory for three such matrices, or use agent=item_knn"
            )
        self.item_weights = ease_weights(matrix, self.regularization).to(self.spec.device)

    def evidence(self, observation: Observation) -> RowSums:
        """The predictions."""
        return RowSums(self.item_weights, Terms.of(observation.history_items, self.history_weights(observation)))


def ease_weights(matrix: sp.csr_matrix, regularization: float) -> Tensor:
    """B `[M, M]` float32, with zeros on the diagonal, of the interactions X `[S, M]`."""
    gram = torch.from_numpy((matrix.T @ matrix).toarray().astype(np.float64))
    gram.diagonal().add_(regularization)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    weights = (-inverse / inverse.diagonal()).float().contiguous()
    return weights.fill_diagonal_(0.0)
