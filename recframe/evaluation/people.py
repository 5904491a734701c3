"""The people behind the sessions of an evaluation, and their sums behind each metric. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recframe.evaluation.statistics import sums_by_person

HELD_OUT, TRAINING = "held_out", "train"
WHOSE = {HELD_OUT: "people who do not occur in training", TRAINING: "people of training (evaluation.people=train)"}
"""What a table is about, in words, for each value of `evaluation.people`."""


@dataclass(frozen=True)
class People:
    """P different people in S sessions.

    ids: `[P]` int64, ascending.   of_session: `[S]` int64, the place in `ids` of each session's person.
    """

    ids: np.ndarray
    of_session: np.ndarray

    @classmethod
    def of_sessions(cls, people: np.ndarray) -> People:
        """The people of sessions whose persons are `people` `[S]`."""
        return cls(*np.unique(people, return_inverse=True))

    def counts(self) -> dict[str, int]:
        """The numbers of people and of sessions, as in the entry `evaluation` of result.json."""
        return {"people": len(self.ids), "sessions": len(self.of_session)}


class PersonSums(NamedTuple):
    """Each person's sums behind ratios `sum(numerators) / sum(denominators)`.

    names: those of m metrics.   numerators, denominators: `[P, m]` float64. Those of a mean over sessions are numbers of sessions.
    """

    names: tuple[str, ...]
    numerators: np.ndarray
    denominators: np.ndarray

    @classmethod
    def of(cls, columns: Mapping[str, tuple[np.ndarray, np.ndarray]], people: People) -> PersonSums:
        """The sums by person of the numerators and denominators `[S]` of each metric."""
        sides = [np.stack([column[side] for column in columns.values()], axis=1) for side in (0, 1)]
        return cls(tuple(columns), *(sums_by_person(side, people.of_session) for side in sides))


def counted(about: Mapping[str, Any]) -> str:
    """The numbers of people and sessions in words, from the entry `evaluation` of result.json."""
    people, sessions = about["people"], about["sessions"]
    return f"{people:,} {'person' if people == 1 else 'people'}, {sessions:,} {'session' if sessions == 1 else 'sessions'}"
