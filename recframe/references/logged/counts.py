"""The most popular items of a log."""

from __future__ import annotations

import scipy.sparse as sp

from recframe.interfaces import Log, Observation
from recframe.references.logged.scorer import LogScorer, NoEvidence


class Counts(LogScorer):
    """Scores items by the number of sequences (users, or sessions) in which they were taken.

    Of equally popular items, the one that was taken last comes first.
    """

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Nothing more to learn than what every scorer does."""

    def evidence(self, observation: Observation) -> NoEvidence:
        """None: without it, popularity decides."""
        return NoEvidence(len(observation.user), self.popularity.device)
