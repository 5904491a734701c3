"""The people behind the sessions of an evaluation, and their sums behind each metric. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recframe.evaluation.statistics import sums_by_person

HELD_OUT, TRAINING, LOGGED = "held_out", "train", "logged"
WHOSE = {
    HELD_OUT: "people who do not occur in training",
    TRAINING: "people of training (evaluation.people=train)",
    LOGGED: "the held-out part of the log",
}
"""What a table is about, in words: for each value of `evaluation.people`, and for rankings on logs."""

SESSIONS, QUERIES = ("session", "sessions"), ("query", "queries")


@dataclass(frozen=True)
class People:
    """P different people in S sessions, or behind S queries.

    ids: `[P]` int64, ascending.   of_session: `[S]` int64, the place in `ids` of each session's (or query's) person.
    """

    ids: np.ndarray
    of_session: np.ndarray

    @classmethod
    def of_sessions(cls, people: np.ndarray) -> People:
        """The people of sessions whose persons are `people` `[S]`."""
        return cls(*np.unique(people, return_inverse=True))

    def counts(self, unit: tuple[str, str] = SESSIONS) -> dict[str, int]:
        """The numbers of people and of `SESSIONS` or `QUERIES`, as in the entry `evaluation` of result.json."""
        return {"people": len(self.ids), unit[1]: len(self.of_session)}


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
    """The numbers of people and of sessions or queries in words, from the entry `evaluation` of result.json."""
    people = about["people"]
    one, several = QUERIES if QUERIES[1] in about else SESSIONS
    number = about[several]
    return f"{people:,} {'person' if people == 1 else 'people'}, {number:,} {one if number == 1 else several}"
