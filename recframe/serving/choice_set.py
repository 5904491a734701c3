"""The items that may be put at the next place of a slate, under its rules and given those above."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from recframe.serving.rules import Rules

TRIES = 64
"""Items drawn at once of which the first that may be shown is taken: exact, and without a list of all that may."""


class ChoiceSet:
    """The items that a slate may have at its next place. It only shrinks from place to place.

    An item that must be on the slate can be chosen at any place. When as many places are left as there are such items, nothing else can.
    Items are columns: their numbers, or the places of their numbers in `candidates`. `open` `[C]` bool says which may be chosen, and `free`
    is whether they are all items but those that were excluded or taken.

    Parameters
    ----------
    num_items: M.   candidates: different item numbers `[C]`, or None: all items.   excluded: item numbers.   k: the places.
    """

    def __init__(self, num_items: int, candidates: Tensor | None, excluded: Tensor, rules: Rules, k: int) -> None:
        self.candidates = candidates
        self.open = torch.ones(num_items if candidates is None else len(candidates), dtype=torch.bool)
        self.places = k
        self.slate: list[int] = []
        self._columns = None if candidates is None else {item: column for column, item in enumerate(candidates.tolist())}
        self._limits = rules.limits
        self.must_include = list(rules.must_include)
        self.free = candidates is None and not rules.must_include and not rules.limits
        # items that must be on the slate have their share of a group from the start
        self._counts = [Counter(group for item in self.must_include for group in limit.groups.of(item)) for limit in self._limits]
        self._close(excluded)
        for limit, counts in zip(self._limits, self._counts, strict=True):
            for group, count in counts.items():
                if count >= limit.most:
                    self._close_group(limit.groups.members(group))
        self.size = int(self.open.sum())
        self._keep_places()

    def __contains__(self, item: int) -> bool:
        column = self.column_of(item)
        return column is not None and bool(self.open[column])

    def __bool__(self) -> bool:
        """Whether there is a place, and an item for it."""
        return self.places > 0 and self.size > 0

    @property
    def items(self) -> Tensor:
        """The items that may be chosen `[n]`."""
        columns = self.open.nonzero().squeeze(1)
        return columns if self.candidates is None else self.candidates[columns]

    def column_of(self, item: int) -> int | None:
        """The column of an item, or None: it is no candidate."""
        return item if self._columns is None else self._columns.get(item)

    def item_at(self, column: int) -> int:
        """The item of a column."""
        return column if self.candidates is None else int(self.candidates[column])

    def drawn(self, generator: torch.Generator) -> int:
        """One of the items, each with the same probability."""
        tried = torch.randint(len(self.open), (TRIES,), generator=generator)
        if len(found := tried[self.open[tried]]):
            return self.item_at(int(found[0]))
        columns = self.open.nonzero().squeeze(1)
        return self.item_at(int(columns[torch.randint(len(columns), (1,), generator=generator)]))

    def take(self, item: int) -> None:
        """Put an item at the next place."""
        self.slate.append(item)
        self.places -= 1
        self._close(torch.tensor([item]))
        if item in self.must_include:
            self.must_include.remove(item)
        else:
            for limit, counts in zip(self._limits, self._counts, strict=True):
                for group in limit.groups.of(item):
                    counts[group] += 1
                    if counts[group] == limit.most:
                        self._close_group(limit.groups.members(group))
        self.size = self.size - 1 if not self._limits else int(self.open.sum())
        self._keep_places()

    def _keep_places(self) -> None:
        if self.must_include and len(self.must_include) >= self.places:
            self.open.zero_()
            self._open_must_include()
            self.size = len(self.must_include)

    def _close_group(self, items: Tensor) -> None:
        self._close(items)
        self._open_must_include()

    def _open_must_include(self) -> None:
        for item in self.must_include:
            self.open[self.column_of(item)] = True

    def _close(self, items: Tensor) -> None:
        if self._columns is None:
            self.open[items] = False
        elif len(items):
            assert self.candidates is not None
            self.open &= ~torch.isin(self.candidates, items)
