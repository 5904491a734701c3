"""What a softmax over items runs over: a stretch of the items, or each user's candidates.

Each kind answers the same questions about its columns, so that history, exclusions and slates are found in all of them alike.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD


class ItemSupport(Protocol):
    """m columns, each an item (of each user)."""

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """Products `[N, m]` of queries `[N, d]` and the columns' item vectors, of all `[M, d]`; -inf in columns that hold no item."""

    def contains(self, numbers: Tensor) -> Tensor:
        """In which columns an item of `numbers` `[N, X]` is found, `[N, m]` bool; `PAD` is found in none."""

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Adds `values` `[N]` to `scores` `[N, m]` in the columns where an item of `numbers` `[N, X]` is found: once, in place."""

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
        """Found by subtraction."""
        size = self.last - self.first
        inside = (numbers >= self.first) & (numbers < self.last)
        return _marked(torch.where(inside, numbers - self.first, size), size)

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Added where they are, not in a pass over all columns; in order, an item that is repeated follows itself."""
        numbers = numbers.sort(dim=1).values
        once = (numbers >= self.first) & (numbers < self.last)
        once[:, 1:] &= numbers[:, 1:] != numbers[:, :-1]
        # the others add nothing, anywhere
        return scores.scatter_add_(1, torch.where(once, numbers - self.first, 0), (values.unsqueeze(1) * once).to(scores.dtype))

    def items_at(self, columns: Tensor) -> Tensor:
        """Found by addition."""
        return columns + self.first


class Candidates(NamedTuple):
    """The items `[N, C]` that may be shown to each user. Cost and memory grow with C times d, not with the catalogue."""

    numbers: Tensor

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """A product for each candidate."""
        vectors = F.embedding(self.numbers.clamp(min=0), items)
        return torch.einsum("nd,ncd->nc", query, vectors).masked_fill(self.numbers == PAD, -torch.inf)

    def contains(self, numbers: Tensor) -> Tensor:
        """Found by comparing each with each."""
        found: Tensor = (self.numbers.unsqueeze(2) == numbers.unsqueeze(1)).any(dim=2)
        return found & (self.numbers != PAD)

    def add_(self, scores: Tensor, numbers: Tensor, values: Tensor) -> Tensor:
        """Added where `contains` says."""
        return scores.add_(values.unsqueeze(1) * self.contains(numbers))

    def items_at(self, columns: Tensor) -> Tensor:
        """Looked up; item 0 where a user has fewer candidates than are asked for."""
        return self.numbers.gather(1, columns).clamp(min=0)


def _marked(columns: Tensor, size: int) -> Tensor:
    """`[N, size]` bool, True at `columns` `[N, X]`; the number `size` itself stands for nowhere."""
    nowhere = torch.zeros(len(columns), size + 1, dtype=torch.bool, device=columns.device)
    return nowhere.scatter_(1, columns, True)[:, :-1]
