"""What could have been shown in logged decisions: candidates, exclusions, and the items above on the same slate."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from recframe.interfaces.types import PAD

NO_LIST = -1
"""In place of the number of a list: there is none."""


@dataclass(frozen=True)
class LoggedChoices:
    """What could have been shown in each of R logged decisions. Each list of items is held once, however many decisions refer to it.

    slates: `[R]` int64, tells slates apart. The rows of one are next to each other, from the top; what is above could not be shown again.
    candidates: `[R]` int64, the number of the list of all items that could be shown; `NO_LIST`: every item.
    excluded: `[R]` int64, the number of the list of items that could not be shown; `NO_LIST`: those that policies leave out of themselves,
        such as items of the history.
    unknown: `[R]` bool, whether there were rules that no list can tell, or a list is missing: the other columns then say too little.
    items: `[T]` int64, rows of the catalogue.   offsets: `[L + 1]` int64: list l is `items[offsets[l]:offsets[l + 1]]`.
    """

    slates: Tensor
    candidates: Tensor
    excluded: Tensor
    unknown: Tensor
    items: Tensor
    offsets: Tensor

    OF_ROWS: ClassVar[tuple[str, ...]] = ("slates", "candidates", "excluded", "unknown")

    def __len__(self) -> int:
        return len(self.slates)

    @cached_property
    def above(self) -> Tensor:
        """The number of places above each row on its slate, `[R]` int64."""
        places = torch.arange(len(self), device=self.slates.device)
        first = torch.ones_like(self.unknown)
        first[1:] = self.slates[1:] != self.slates[:-1]
        above: Tensor = places - torch.where(first, places, 0).cummax(dim=0).values if len(self) else places
        return above

    @property
    def listed(self) -> Tensor:
        """Which rows have candidates, or exclude items by a list of their own, `[R]` bool."""
        return (self.candidates != NO_LIST) | (self.lengths(self.excluded) > 0)

    def rows(self, rows: Tensor) -> LoggedChoices:
        """These rows, numbers `[r]` or a mask `[R]`, in this order."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.OF_ROWS})

    def to(self, device: torch.device | str) -> LoggedChoices:
        """The same with every tensor on `device`."""
        return LoggedChoices(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def lengths(self, lists: Tensor) -> Tensor:
        """The number of items of each of the `lists` `[N]`, `[N]` int64; 0 for `NO_LIST`."""
        there = lists != NO_LIST
        numbers = torch.where(there, lists, 0)
        lengths = torch.nn.functional.pad(self.offsets.diff(), (0, 1))[numbers]
        return torch.where(there, lengths, 0)

    def items_of(self, lists: Tensor) -> Tensor:
        """The items of the `lists` `[N]`, `[N, C]` int64, filled up with `PAD`; C is 1 at least."""
        lengths = self.lengths(lists)
        places = torch.arange(max(1, int(lengths.max()) if len(lengths) else 1), device=lists.device)
        known = places < lengths[:, None]
        rows = torch.where(known, self.offsets[lists.clamp(min=0)][:, None] + places, 0)
        return torch.where(known, torch.nn.functional.pad(self.items, (0, 1), value=PAD)[rows], PAD)
