"""What a softmax over items runs over: a stretch of the catalogue, a sample of it, or each user's candidates.

Each kind answers the same questions about its columns, so that history, exclusions and slates are found in all of them alike.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD


class ItemSupport(Protocol):
    """m columns, each an item (of each user).

    log_weight: the logarithm of how many items a column stands for, one number for each of the m or for all.
    """

    @property
    def log_weight(self) -> Tensor | float:
        """See above."""

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """Products `[N, m]` of queries `[N, d]` and the columns' item vectors, of all `[M, d]`; -inf in columns that hold no item."""

    def contains(self, numbers: Tensor) -> Tensor:
        """In which columns an item of `numbers` `[N, X]` is found, `[N, m]` bool; `PAD` is found in none."""

    def items_at(self, columns: Tensor) -> Tensor:
        """The item numbers `[N, X]` in `columns` `[N, X]`."""


class ItemRange(NamedTuple):
    """The items from number `first` to before `last`."""

    first: int
    last: int
    log_weight: float = 0.0

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """One matrix product."""
        return query @ items[self.first : self.last].T

    def contains(self, numbers: Tensor) -> Tensor:
        """Found by subtraction."""
        size = self.last - self.first
        inside = (numbers >= self.first) & (numbers < self.last)
        return _marked(torch.where(inside, numbers - self.first, size), size)

    def items_at(self, columns: Tensor) -> Tensor:
        """Found by addition."""
        return columns + self.first


class ItemSample(NamedTuple):
    """Different items `[m]` in ascending order, each of which stands for several: the logarithm of how many is `log_weight` `[m]`."""

    numbers: Tensor
    log_weight: Tensor

    @staticmethod
    def draw(shown: Tensor, num_items: int, size: int, generator: torch.Generator) -> ItemSample:
        """`size` of `num_items` items: those that were shown, or `size` / 2 of them if there are more, and others, all drawn uniformly.

        What a policy shows is what it finds likely. If only the whole catalogue was drawn from, a sum of exp s would mostly miss
        the few items that it consists of, once a policy has learned something.
        """
        device = generator.device
        shown = shown.unique()  # how many there are is asked of the device once a chunk
        kept = shown[torch.randperm(len(shown), generator=generator, device=device)[: size // 2]]
        luck = torch.rand(num_items, generator=generator, device=device).index_fill_(0, shown, -1.0)
        others = luck.topk(min(size - len(kept), num_items - len(shown))).indices
        stands_for = torch.cat(
            [
                torch.full((len(kept),), len(shown) / max(len(kept), 1), device=device),
                torch.full((len(others),), (num_items - len(shown)) / max(len(others), 1), device=device),
            ]
        )
        numbers, order = torch.cat([kept, others]).sort()
        return ItemSample(numbers, stands_for[order].log())

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """One matrix product."""
        return query @ F.embedding(self.numbers, items).T

    def contains(self, numbers: Tensor) -> Tensor:
        """Found by bisection."""
        size = len(self.numbers)
        columns = torch.searchsorted(self.numbers, numbers.contiguous()).clamp(max=size - 1)
        return _marked(torch.where(self.numbers[columns] == numbers, columns, size), size)

    def items_at(self, columns: Tensor) -> Tensor:
        """Looked up."""
        return self.numbers[columns]


class Candidates(NamedTuple):
    """The items `[N, C]` that may be shown to each user. Cost and memory grow with C times d, not with the catalogue."""

    numbers: Tensor
    log_weight: float = 0.0

    def products(self, query: Tensor, items: Tensor) -> Tensor:
        """A product for each candidate."""
        vectors = F.embedding(self.numbers.clamp(min=0), items)
        return torch.einsum("nd,ncd->nc", query, vectors).masked_fill(self.numbers == PAD, -torch.inf)

    def contains(self, numbers: Tensor) -> Tensor:
        """Found by comparing each with each."""
        found: Tensor = (self.numbers.unsqueeze(2) == numbers.unsqueeze(1)).any(dim=2)
        return found & (self.numbers != PAD)

    def items_at(self, columns: Tensor) -> Tensor:
        """Looked up; item 0 where a user has fewer candidates than are asked for."""
        return self.numbers.gather(1, columns).clamp(min=0)


def _marked(columns: Tensor, size: int) -> Tensor:
    """`[N, size]` bool, True at `columns` `[N, X]`; the number `size` itself stands for nowhere."""
    nowhere = torch.zeros(len(columns), size + 1, dtype=torch.bool, device=columns.device)
    return nowhere.scatter_(1, columns, True)[:, :-1]
