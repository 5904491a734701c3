"""Discrimination: whether what people like is scored above what they do not like (the area under the ROC curve, AUC).

Over all pairs of a liked rating i and another one j,

    AUC = mean [s_i > s_j] + [s_i = s_j] / 2

which is Mann and Whitney's U as a share. `auc` is over all pairs, of whichever people; `auc_within` over pairs of one person's own ratings
alone: it is what recommending needs, and a score that only knows who is easy to please is at 1/2 there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recframe.report_cards.people_bootstrap import BootstrapEstimate, PeopleBootstrap

CHUNK = 1_024
"""Liked ratings that are compared with all others at once."""


class PairCounts(NamedTuple):
    """Pairs of a liked rating of person p and another rating of person q.

    wins: `[P, P]`, how many of them are in the right order, ties half.   pairs: `[P, P]`, how many there are.
    """

    wins: np.ndarray
    pairs: np.ndarray

    def auc(self, bootstrap: PeopleBootstrap) -> BootstrapEstimate:
        """The AUC over all pairs."""
        return bootstrap.interval(float(self._auc(bootstrap.everybody)[0]), self._auc(bootstrap.weights))

    def auc_within(self, bootstrap: PeopleBootstrap) -> BootstrapEstimate:
        """The AUC over the pairs of one person's ratings."""
        return bootstrap.ratio(self.wins.diagonal(), self.pairs.diagonal())

    def gain_over(self, other: PairCounts, bootstrap: PeopleBootstrap) -> BootstrapEstimate:
        """The AUC less that of another score of the same ratings, over the same resamples."""
        value = self._auc(bootstrap.everybody) - other._auc(bootstrap.everybody)
        return bootstrap.interval(float(value[0]), self._auc(bootstrap.weights) - other._auc(bootstrap.weights))

    def _auc(self, weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            total = [((weights @ counts) * weights).sum(axis=1) for counts in (self.wins, self.pairs)]
            return np.asarray(total[0] / total[1])


def pair_counts(people: np.ndarray, scores: np.ndarray, liked: np.ndarray) -> PairCounts:
    """The counts of pairs by person.

    Parameters
    ----------
    people: `[R]`, whose rating each is: numbers from 0 to P - 1, all of which occur.   scores: `[R]`.   liked: `[R]` bool.
    """
    size = int(people.max()) + 1
    wins, pairs = np.zeros((size, size)), np.zeros((size, size))
    (positive,), (negative,) = np.nonzero(liked), np.nonzero(~liked)
    for start in range(0, len(positive), CHUNK):
        rows = positive[start : start + CHUNK]
        left, right = scores[rows][:, None], scores[negative][None, :]
        won = (left > right) + 0.5 * (left == right)
        place = (people[rows][:, None], people[negative][None, :])
        np.add.at(wins, place, won)
        np.add.at(pairs, place, 1.0)
    return PairCounts(wins, pairs)
