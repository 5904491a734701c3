"""The items that each user may be shown, so that how many of them lie below a node of the prefix tree is known without visiting them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class AllowedItems:
    """The allowed items of B users, by their places in the order of the codes, in which every node of the tree is a range.

    candidates: `[B, C]` int64, the places of the items that may be shown, ascending and each once, filled up with M; or None: all.
    taken: `[B, T]` int64, the places of those of them that may not be shown after all, likewise.
    num_items: M.
    among: `[M + 1]` int64, how many items at the places before each may be shown to anyone; None: all. Candidates are among them.
    """

    candidates: Tensor | None
    taken: Tensor
    num_items: int
    among: Tensor | None = None

    def __len__(self) -> int:
        return len(self.taken)

    def count(self, first: Tensor, end: Tensor) -> Tensor:
        """How many allowed items of each user have a place in the ranges from `first` to before `end`; all three are `[B, ...]` int64."""
        shape = first.shape
        first, end = (bound.reshape(len(bound), -1).contiguous() for bound in (first, end))
        if self.candidates is not None:
            total = _between(self.candidates, first, end)
        else:
            total = end - first if self.among is None else self.among[end] - self.among[first]
        return (total - _between(self.taken, first, end)).reshape(shape)

    def total(self) -> Tensor:
        """How many items each user may be shown, `[B]` int64."""
        every = self.taken.new_zeros(len(self))
        return self.count(every, every + self.num_items)

    def given(self, places: Tensor) -> Tensor:
        """Whether an item of each user at `places` `[B, n]` may be shown, if it is not taken; `[B, n]` bool, not so for M."""
        there = places < self.num_items
        if self.candidates is not None:
            return there & contains(self.candidates, places)
        return there if self.among is None else there & (self.among[(places + 1).clamp(max=self.num_items)] > self.among[places])

    def without_places(self, places: Tensor) -> AllowedItems:
        """The same without the items at `places` `[B, n]`; those of items that are not allowed, and M, change nothing."""
        places = distinct(places, self.num_items)
        gone = contains(self.taken, places) | ~self.given(places)
        taken = torch.cat([self.taken, places.masked_fill(gone, self.num_items)], dim=1)
        return replace(self, taken=taken.sort(dim=1).values)

    def rows(self, index: Tensor) -> AllowedItems:
        """The allowed items of the users with these numbers, `[n]` int64; a number may occur several times."""
        candidates = None if self.candidates is None else self.candidates[index]
        return replace(self, candidates=candidates, taken=self.taken[index])


def distinct(places: Tensor, fill: int) -> Tensor:
    """Each row of `places` `[B, n]` ascending; what occurs again is replaced by `fill`, which is larger than all places."""
    ordered = places.sort(dim=1).values
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return ordered.masked_fill(again, fill).sort(dim=1).values


def contains(rows: Tensor, values: Tensor) -> Tensor:
    """Whether each of `values` `[B, n]` is in its row of `rows` `[B, C]`, which ascend; `[B, n]` bool."""
    if rows.shape[1] == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    at = torch.searchsorted(rows, values).clamp(max=rows.shape[1] - 1)
    return rows.gather(1, at) == values


def _between(rows: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """How many entries of each ascending row `[B, C]` lie from `first` to before `end`, `[B, n]`."""
    if rows.shape[1] == 0:
        return torch.zeros_like(first)
    return torch.searchsorted(rows, end) - torch.searchsorted(rows, first)
