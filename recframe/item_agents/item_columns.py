"""The columns of a matrix of item scores: a range of the items, or each user's candidates.

Each kind finds histories, exclusions and slates in its own columns, so that scores are computed in the same way over all of them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD


class ItemColumns(Protocol):
    """m columns, each of which stands for an item (of each user)."""

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """Products `[N, m]` of queries `[N, d]` and the columns' rows of item vectors `[M, d]`; -inf in columns that hold no item."""

    def contains(self, numbers: Tensor) -> Tensor:
        """The columns that hold an item of `numbers` `[N, X]`, `[N, m]` bool; no column holds `PAD`."""

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Adds `values` `[N]` in place to `scores` `[N, m]` in the columns that hold an item of `numbers` `[N, X]`, once each."""

    def place(self, numbers: Tensor, values: Tensor) -> Tensor:
        """`[N, m]`: the `values` `[N, X]` in the columns of the different items `numbers` `[N, X]`; 0 in others. `PAD` has no column."""

    def items_at(self, columns: Tensor) -> Tensor:
        """The item numbers `[N, X]` in `columns` `[N, X]`."""


class ItemRange(NamedTuple):
    """The items from number `first` to before `last`."""

    first: int
    last: int

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """One matrix product."""
        return query @ items[self.first : self.last].T

    def contains(self, numbers: Tensor) -> Tensor:
        """Computed by subtraction."""
        size = self.last - self.first
        inside = (numbers >= self.first) & (numbers < self.last)
        return _marked(torch.where(inside, numbers - self.first, size), size)

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Scattered to the columns, without a pass over all of them; sorted, so that an item follows its repetitions."""
        numbers = numbers.sort(dim=1).values
        once = (numbers >= self.first) & (numbers < self.last)
        once[:, 1:] &= numbers[:, 1:] != numbers[:, :-1]
        # all other numbers add 0 to the first column
        return scores.scatter_add_(1, torch.where(once, numbers - self.first, 0), (values.unsqueeze(1) * once).to(scores.dtype))

    def place(self, numbers: Tensor, values: Tensor) -> Tensor:
        """Scattered to the columns."""
        size = self.last - self.first
        inside = (numbers >= self.first) & (numbers < self.last)
        # what is elsewhere adds to a column beyond the last one
        empty = values.new_zeros(len(values), size + 1)
        return empty.scatter_add(1, torch.where(inside, numbers - self.first, size), values)[:, :-1]

    def items_at(self, columns: Tensor) -> Tensor:
        """Computed by addition."""
        return columns + self.first


class CandidateColumns(NamedTuple):
    """The candidates `[N, C]` of each user. Time and memory grow with C times d, not with the catalogue."""

    numbers: Tensor

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """One product a candidate."""
        vectors = F.embedding(self.numbers.clamp(min=0), items)
        return torch.einsum("nd,ncd->nc", query, vectors).masked_fill(self.numbers == PAD, -torch.inf)

    def contains(self, numbers: Tensor) -> Tensor:
        """Computed by comparing all pairs."""
        found: Tensor = (self.numbers.unsqueeze(2) == numbers.unsqueeze(1)).any(dim=2)
        return found & (self.numbers != PAD)

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Added where `contains` is True."""
        return scores.add_(values.unsqueeze(1) * self.contains(numbers))

    def place(self, numbers: Tensor, values: Tensor) -> Tensor:
        """Looked up, unless the columns are those of the values, as where a prior meets its own candidates."""
        if numbers is self.numbers:
            return values.masked_fill(numbers == PAD, 0.0)
        return located(numbers, values, self.numbers)

    def items_at(self, columns: Tensor) -> Tensor:
        """Looked up; item 0 where a user has too few candidates."""
        return self.numbers.gather(1, columns).clamp(min=0)


def _marked(columns: Tensor, size: int) -> Tensor:
    """`[N, size]` bool, True at `columns` `[N, X]`; the number `size` stands for no column."""
    marked = torch.zeros(len(columns), size + 1, dtype=torch.bool, device=columns.device)
    return marked.scatter_(1, columns, True)[:, :-1]


def located(numbers: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    """`[N, X]`: the `values` `[N, C]` that the items `wanted` `[N, X]` have among `numbers` `[N, C]`; 0 for `PAD`, and for those not there.

    The different numbers are searched in sorted order, so that memory grows with C + X, and no value is multiplied: mixed precision would
    round it.
    """
    if not numbers.shape[1]:
        return values.new_zeros(wanted.shape)
    ordered, order = numbers.sort(dim=1)
    places = torch.searchsorted(ordered, wanted.contiguous()).clamp(max=numbers.shape[1] - 1)
    found = values.gather(1, order.gather(1, places))
    return torch.where((ordered.gather(1, places) == wanted) & (wanted != PAD), found, 0.0)
