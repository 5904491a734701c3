"""Recommendation by content: items whose texts are like those of the history."""

from __future__ import annotations

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, FrozenTable, Log, Observation
from recframe.item_agents.item_scores import QueryScores
from recframe.references.logged.counted import CLICK
from recframe.references.logged.row_sums import RowSums, Terms
from recframe.references.logged.scorer import LogScorer


class ContentCosine(LogScorer):
    """Scores an item by the cosine of its text vector with the profile of the history (Pazzani & Billsus, 2007).

        profile = sum_j w_j v_j / |v_j|

    w_j is `decay^age` times the interaction's value. A log adds only the popularity of items for users without history.

    text_vectors: v `[M, D]`.

    Raises
    ------
    ValueError: the vectors have no dimensions, because no text is read.
    """

    def __init__(self, spec: EnvironmentSpec, text_vectors: Tensor, *, weights: str = CLICK, decay: float = 0.7) -> None:
        super().__init__(spec, weights, decay)
        if not text_vectors.shape[1]:
            raise ValueError("it compares the texts of items, but no text is read: choose an encoder that reads texts")
        self._vectors = FrozenTable(F.normalize(text_vectors.to(spec.device), dim=1))

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Nothing to learn."""

    def extend_items(self, num_items: int) -> None:
        """Further items at the end of the catalogue, which nobody has met."""
        if len(self.popularity):
            self.popularity = F.pad(self.popularity, (0, num_items - len(self.popularity)))

    def evidence(self, observation: Observation) -> QueryScores:
        """The cosines."""
        vectors, history = self._vectors.values, observation.history_items
        profile = RowSums(vectors, Terms.of(history, self.history_weights(observation))).between(0, vectors.shape[1])
        return QueryScores(F.normalize(profile, dim=1), torch.zeros(len(history), device=vectors.device), history, vectors)
