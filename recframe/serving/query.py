"""Questions in terms of the data that a policy was trained on: item numbers, signals, and the rules of the slate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from recframe.interfaces import Data, EnvironmentSpec, Role
from recframe.metric_names import CLICK_SIGNAL
from recframe.serving.groups import AttributeGroups
from recframe.serving.person import PersonReader
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question
from recframe.serving.rules import NO_RULES, Rules, read_rules
from recframe.serving.similar import did_you_mean


class Query(NamedTuple):
    """A question, read.

    history: item numbers, oldest first.   feedback: the signals' values for each.
    rows, texts: as in `Person`.   candidates: different item numbers, or None: all.   excluded: different item numbers.
    k: as asked, but no more than there are items.   rules: of the slate.
    """

    history: list[int]
    feedback: list[list[float]]
    rows: Mapping[Role, int]
    texts: Mapping[Role, str | None]
    candidates: list[int] | None
    excluded: list[int]
    k: int
    rules: Rules = NO_RULES


class QueryReader:
    """Reads questions.

    Parameters
    ----------
    data: as the policy reads it.   spec: what the policy was built for.
    excludes_history: whether items of the history are excluded where a question does not say what is.
    """

    def __init__(self, data: Data, spec: EnvironmentSpec, excludes_history: bool) -> None:
        self.ids = data.catalog.ids
        self.titles = data.catalog.titles
        self.signals = spec.signals
        self.excludes_history = excludes_history
        self._items = {item: row for row, item in enumerate(self.ids)}
        self._people = PersonReader(data, spec)
        self._groups = AttributeGroups(data.catalog)

    def read(self, question: Question) -> Query:
        """The question in item numbers.

        Raises
        ------
        QueryError: an item, a user or a signal is not in the data, or something is not of its kind.
        """
        k = question.k
        if not hasattr(k, "__index__") or k < 1:
            raise QueryError(f"k: {k!r} is not allowed; it must be a whole number >= 1")
        pairs = [self._entry(entry) for entry in listed(question.history, "history")]
        history = self.rows([item for item, _ in pairs], "history")
        person = self._people.read(question)
        # an item counts once, however often it is listed: agents take candidates to be different items
        candidates = None if question.candidates is None else self._listed_rows(question.candidates, "candidates")
        must_include = self._listed_rows(question.must_include, "must_include")
        return Query(
            history,
            [[values.get(name, 0.0) for name in self.signals] for _, values in pairs],
            person.rows,
            person.texts,
            candidates,
            self._excluded(question.exclude, history, must_include),
            min(k.__index__(), len(self.ids)),
            read_rules(must_include, question.at_most, k, self.ids, candidates, self._groups)
            if must_include or question.at_most != {}
            else NO_RULES,
        )

    def _excluded(self, exclude: Any, history: list[int], must_include: list[int]) -> list[int]:
        if exclude is None:
            # what is asked for by name is shown, even if it was met before
            return [row for row in dict.fromkeys(history) if row not in must_include] if self.excludes_history else []
        excluded = self._listed_rows(exclude, "exclude")
        if both := set(excluded).intersection(must_include):
            raise QueryError(f"must_include: item {self.ids[min(both)]!r} is excluded, too; leave it out of one of them")
        return excluded

    def _listed_rows(self, ids: Any, of: str) -> list[int]:
        """The different numbers of the items of an argument."""
        return list(dict.fromkeys(self.rows(listed(ids, of), of)))

    def rows(self, ids: Sequence[Any], of: str) -> list[int]:
        """The numbers of the items with these ids. `of` is the argument, for errors."""
        names = [str(item) for item in ids]
        unknown = [name for name in names if name not in self._items]
        if not unknown:
            return [self._items[name] for name in names]
        others = f" (nor {len(unknown) - 1} others of the list)" if len(unknown) > 1 else ""
        raise QueryError(f"{of}: no item of the run's data has the id {unknown[0]!r}{others}; {did_you_mean(unknown[0], self.ids)}")

    def _entry(self, entry: Any) -> tuple[Any, Mapping[str, float]]:
        """An item's id, and the values of the signals."""
        if not isinstance(entry, (tuple, list, Mapping)):
            return entry, {CLICK_SIGNAL: 1.0}
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], Mapping):
            raise QueryError(
                f"history: {entry!r} is not an entry; an id is right, or an id with its signals as in ('17', {{'click': 1.0}})"
            )
        if wrong := [name for name in entry[1] if name not in self.signals]:
            raise QueryError(f"history: the run has no signal {wrong[0]!r}; it has: {', '.join(self.signals)}")
        return entry[0], {name: _number(name, value) for name, value in entry[1].items()}


def listed(ids: Any, of: str) -> list[Any]:
    """The entries of the argument `of`, a list of items, an array, a tensor or an iterator.

    Raises
    ------
    QueryError: it is a single text, or no list at all.
    """
    if isinstance(ids, str):
        raise QueryError(f"{of}: it is a list of item ids, not the one text {ids!r}")
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    if isinstance(ids, Mapping) or not isinstance(ids, Iterable):
        raise QueryError(f"{of}: it is a list of item ids, not a {type(ids).__name__}")
    return list(ids)


def _number(signal: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise QueryError(f"history: the signal {signal!r} is {value!r}; a finite number is right")
    return number
