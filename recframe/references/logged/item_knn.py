"""Recommendation by similar items (item-based collaborative filtering), the recent ones of the history counting more."""

from __future__ import annotations

import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.references.logged.counted import CLICK
from recframe.references.logged.item_neighbors import item_neighbors
from recframe.references.logged.scorer import LogScorer
from recframe.references.logged.sparse_rows import RowSums, SparseRows


class ItemKNN(LogScorer):
    """Scores an item by its similarity to the items of the history, `sum_j w_j s_ji` over the n neighbors i of each item j of it.

    w_j is `decay^age` times the interaction's value; the similarity s is that of `recframe.references.logged.item_neighbors`
    (Sarwar et al., 2001; Deshpande & Karypis, 2004; decay by age as in session-based neighbors, Jannach & Ludewig, 2017).

    Memory grows with M times n at most; the defaults are those that are compared with everywhere, not chosen by any data.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor

    def __init__(
        self, spec: EnvironmentSpec, *, shrinkage: float = 10.0, neighbors: int = 500, weights: str = CLICK, decay: float = 0.7
    ) -> None:
        super().__init__(spec, weights, decay)
        self.shrinkage = shrinkage
        self.neighbors = neighbors
        self.register_buffer("offsets", torch.zeros(1, dtype=torch.int64, device=spec.device))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.int32, device=spec.device))
        self.register_buffer("values", torch.zeros(0, device=spec.device))

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Compute the similarities."""
        similar = item_neighbors(matrix, self.shrinkage, self.neighbors)
        self.offsets, self.columns, self.values = SparseRows.of(similar, self.spec.device)

    def evidence(self, observation: Observation) -> RowSums:
        """The weighted similarities."""
        rows = SparseRows(self.offsets, self.columns, self.values)
        return RowSums.of_histories(rows, observation.history_items, self.history_weights(observation))
