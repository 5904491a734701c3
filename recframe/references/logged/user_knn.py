"""Recommendation by similar users (user-based collaborative filtering): what those took whose histories are like this one."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.references.logged.counted import CLICK
from recframe.references.logged.row_sums import SparseRowSums, Terms
from recframe.references.logged.scorer import LogScorer
from recframe.references.logged.sparse_rows import SparseRows

MAX_PAIRS = 2**24
"""Similarities of users to sequences of the log that are computed at once."""


class UserKNN(LogScorer):
    """Scores an item by the n sequences v of the log most similar to the history h: `sum_v s_hv x_vi` (Herlocker et al., 1999).

        s_hv = h' x_v / (|h| |x_v| + shrinkage)

    h are the weights of the history, `decay^age` times the interactions' values, and x_v the values of sequence v. Where observations name
    users, a user's own sequences do not count.
    """

    row_offsets: Tensor
    row_items: Tensor
    row_values: Tensor
    item_offsets: Tensor
    item_rows: Tensor
    item_values: Tensor
    norms: Tensor
    row_users: Tensor

    def __init__(
        self, spec: EnvironmentSpec, *, shrinkage: float = 10.0, neighbors: int = 100, weights: str = CLICK, decay: float = 0.7
    ) -> None:
        super().__init__(spec, weights, decay)
        self.shrinkage = shrinkage
        self.neighbors = neighbors
        for name in ("row_offsets", "item_offsets"):
            self.register_buffer(name, torch.zeros(1, dtype=torch.int64, device=spec.device))
        for name in ("row_items", "item_rows"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int32, device=spec.device))
        for name in ("row_values", "item_values", "norms"):
            self.register_buffer(name, torch.zeros(0, device=spec.device))
        self.register_buffer("row_users", torch.zeros(0, dtype=torch.int64, device=spec.device))

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Keep the log by sequence and by item."""
        device = self.spec.device
        self.row_offsets, self.row_items, self.row_values = SparseRows.of(matrix, device)
        self.item_offsets, self.item_rows, self.item_values = SparseRows.of(matrix.T.tocsr(), device)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        self.norms = torch.from_numpy(norms.astype(np.float32)).to(device)
        self.row_users = log.users[log.offsets[:-1]].to(device)

    def evidence(self, observation: Observation) -> SparseRowSums:
        """The similarities of the neighbors who took an item, added up."""
        similarity, rows = self.similar_rows(observation)
        return SparseRowSums(SparseRows(self.row_offsets, self.row_items, self.row_values), Terms.of(rows, similarity))

    def similar_rows(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """The similarities `[N, n]` of the most similar sequences, 0 where there are fewer, and the sequences `[N, n]`."""
        items, weights = observation.history_items, self.history_weights(observation)
        size = max(1, MAX_PAIRS // len(self.norms))
        parts = zip(items.split(size), weights.split(size), observation.user.split(size), strict=True)
        found = [self._similar(*part) for part in parts]
        return torch.cat([similarity for similarity, _ in found]), torch.cat([rows for _, rows in found])

    def _similar(self, items: Tensor, weights: Tensor, users: Tensor) -> tuple[Tensor, Tensor]:
        by_item = SparseRows(self.item_offsets, self.item_rows, self.item_values)
        common = SparseRowSums(by_item, Terms.of(items, weights)).between(0, len(self.norms))
        norms = weights.norm(dim=1, keepdim=True) * self.norms
        # without shrinkage, and without history, nothing is in common and the quotient is 0 / 0
        similarity = common / (norms + self.shrinkage).clamp(min=1e-12)
        if self.spec.has_users:
            similarity = similarity.masked_fill(self.row_users == users.unsqueeze(1), 0.0)
        best = similarity.topk(min(self.neighbors, len(self.norms)), dim=1)
        return best.values, best.indices
