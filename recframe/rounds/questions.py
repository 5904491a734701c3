"""What was asked in the recommendations of a store, as questions that a policy can be asked again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from recframe.feedback.store import FeedbackStore
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question

Histories = list[list[tuple[str, dict[str, float]]]]

ROLES = ("candidates", "exclude")
"""What the lists of a question are for."""


class StoredQuestions:
    """The requests of some recommendations. Their lists, such as candidates, are read when they are asked for, and not kept.

    rows: of `FeedbackStore.asked_frame`, with the number of items that were `shown`; where `k` is not known, that is asked for.
    """

    def __init__(self, store: FeedbackStore, rows: pl.DataFrame) -> None:
        self._store = store
        self._rows = rows.rows(named=True)
        self.histories: Histories = [_history(row["history"]) for row in self._rows]
        self.without_added_items = rows.select(pl.col("k").is_not_null() & ~pl.col("version").str.contains("+", literal=True)).to_series()
        """Which were certainly made by a policy to which no item was added."""

    def __len__(self) -> int:
        return len(self._rows)

    def to(self, policy: LoadedPolicy, places: Sequence[int]) -> list[Question | None]:
        """Those at the given places, as the policy reads them; None: a list of it is gone, the store forgets old ones at any time."""
        users = policy.data.users
        known = frozenset(users.ids) if users is not None and policy.agent.spec.has_users else frozenset()
        names = {name for place in places for role in ROLES if (name := self._rows[place][role]) is not None}
        lists = self._store.item_lists(names)
        return [self._question(place, known, lists) for place in places]

    def _question(self, place: int, known: frozenset[str], lists: Mapping[str, list[str]]) -> Question | None:
        row = self._rows[place]
        if any(row[role] is not None and row[role] not in lists for role in ROLES):
            return None
        # somebody without a name is called by the session, which is no user
        user = row["user"] if row["user"] in known and row["user"] != row["session"] else None
        profile = None if user is not None else row["profile"]
        k = row["shown"] if row["k"] is None else row["k"]
        rules: Mapping[str, Any] = {
            "must_include": json.loads(row["must_include"]) if row["must_include"] else (),
            "at_most": json.loads(row["at_most"]) if row["at_most"] else {},
        }
        candidates, exclude = (None if row[role] is None else lists[row[role]] for role in ROLES)
        return Question(self.histories[place], user, profile, row["context"], k, candidates, exclude, **rules)


def _history(text: str) -> list[tuple[str, dict[str, float]]]:
    return [(str(item), {str(name): float(value) for name, value in signals.items()}) for item, signals in json.loads(text)]
