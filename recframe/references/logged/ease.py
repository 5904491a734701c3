"""EASE: item weights in closed form (Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import DataError, EnvironmentSpec, Log, Observation
from recframe.references.logged.counted import CLICK
from recframe.references.logged.scorer import LogScorer


class EASE(LogScorer):
    """Scores items by a linear model of the whole history, `x' B`, that predicts every item from the others.

        min_B |X - X B|^2 + lambda |B|^2  with  diag(B) = 0        (equations 4 and 5)
        P = (X' X + lambda I)^-1,   B_ij = -P_ij / P_jj  for i != j       (equation 8)

    As published, x holds the value of each item of the history without regard to time (`decay` 1). lambda is 500, the published one of
    MovieLens-20M (section 4): fixed in advance, not chosen by any data.

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

    def evidence(self, observation: Observation) -> WeightedRows:
        """The predictions."""
        return WeightedRows(self.item_weights, observation.history_items, self.history_weights(observation))


def ease_weights(matrix: sp.csr_matrix, regularization: float) -> Tensor:
    """B `[M, M]` float32, with zeros on the diagonal, of the interactions X `[S, M]`."""
    gram = torch.from_numpy((matrix.T @ matrix).toarray().astype(np.float64))
    gram.diagonal().add_(regularization)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    weights = (-inverse / inverse.diagonal()).float()
    return weights.fill_diagonal_(0.0)


class WeightedRows(NamedTuple):
    """Scores of items for N users: `sum_h weight_h B[item_h]`, a dense matrix's rows added up. They satisfy `ItemScores`.

    matrix: B `[M, M]`.   items: `[N, H]`.   weights: `[N, H]`, 0 at `PAD`.
    """

    matrix: Tensor
    items: Tensor
    weights: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self.between(0, self.matrix.shape[1]).gather(1, chosen)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return F.embedding_bag(self.items.clamp(min=0), self.matrix[:, first:last], mode="sum", per_sample_weights=self.weights)
