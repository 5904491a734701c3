"""The observation of one person, from item ids and texts as callers have them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, Role
from recframe.metric_names import CLICK_SIGNAL
from recframe.plugin_loader import closest
from recframe.serving.query_error import QueryError

Entry = str | int | tuple[str | int, Mapping[str, float]]
"""An item of a history: its id, which means that it was clicked, or its id with the value of each signal."""


class QueryReader:
    """Reads a person's history, and what else is known of them, in terms of the data that a policy was trained on.

    Parameters
    ----------
    data: as the policy reads it.   spec: what the policy was built for.   whole_history: whether it reads more than the last H items.
    """

    def __init__(self, data: Data, spec: EnvironmentSpec, whole_history: bool) -> None:
        self.data = data
        self.spec = spec
        self.whole_history = whole_history
        self._items = {item: row for row, item in enumerate(data.catalog.ids)}

    def observation(
        self,
        history: Sequence[Entry],
        rows: Mapping[Role, int],
        candidates: Sequence[str | int] | None,
        exclude: Sequence[str | int] | None,
    ) -> Observation:
        """The observation of one person, batch size `[1]`. Of the history it has the last H items, unless the policy reads all of it.

        rows: the row of the user, and of the text that came with the visit, where there are any.

        Raises
        ------
        QueryError: an item or a signal is not in the data.
        """
        items, feedback = self._history(history)
        return Observation(
            user=torch.tensor([rows.get("user", 0)]),
            history_items=items,
            history_feedback=feedback,
            candidates=None if candidates is None else self._row(candidates, "candidates"),
            excluded=self._row(exclude, "exclude") if exclude else None,
            context=torch.tensor([rows["context"]]) if "context" in rows else None,
            batch_size=[1],
        )

    def rows(self, ids: Sequence[str | int], of: str) -> list[int]:
        """The rows of the items with these ids. `of` is the argument, for errors."""
        names = [str(item) for item in listed(ids, of)]
        unknown = [name for name in names if name not in self._items]
        if not unknown:
            return [self._items[name] for name in names]
        others = f" (nor {len(unknown) - 1} others of the list)" if len(unknown) > 1 else ""
        meant = closest(unknown[0], list(self._items))
        remedy = f"did you mean {meant!r}?" if meant else f"ids are such as {self.data.catalog.ids[0]!r}"
        raise QueryError(f"{of}: no item of the run's data has the id {unknown[0]!r}{others}; {remedy}")

    def _row(self, ids: Sequence[str | int], of: str) -> Tensor:
        # an item counts once, however often it is listed: agents take candidates to be different items
        return torch.tensor([list(dict.fromkeys(self.rows(ids, of)))], dtype=torch.int64)

    def _history(self, history: Sequence[Entry]) -> tuple[Tensor, Tensor]:
        """The items `[1, L]` and what the person did with each `[1, L, F]`."""
        pairs = [self._entry(entry) for entry in listed(history, "history")]
        signals = self.spec.signals
        rows = self.rows([item for item, _ in pairs], "history")
        length = max(1, len(rows)) if self.whole_history else self.spec.history_length
        kept = min(len(rows), length)
        items = torch.full((1, length), PAD, dtype=torch.int64)
        feedback = torch.zeros(1, length, len(signals))
        if kept:
            items[0, -kept:] = torch.tensor(rows[-kept:])
            feedback[0, -kept:] = torch.tensor([[values.get(name, 0.0) for name in signals] for _, values in pairs[-kept:]])
        return items, feedback

    def _entry(self, entry: Any) -> tuple[Any, Mapping[str, float]]:
        """An item's id, and the values of the signals."""
        if not isinstance(entry, (tuple, list, Mapping)):
            return entry, {CLICK_SIGNAL: 1.0}
        if not isinstance(entry, tuple) or len(entry) != 2 or not isinstance(entry[1], Mapping):
            raise QueryError(
                f"history: {entry!r} is not an entry; an id is right, or an id with its signals as in ('17', {{'click': 1.0}})"
            )
        signals = self.spec.signals
        if wrong := [name for name in entry[1] if name not in signals]:
            raise QueryError(f"history: the run has no signal {wrong[0]!r}; it has: {', '.join(signals)}")
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
