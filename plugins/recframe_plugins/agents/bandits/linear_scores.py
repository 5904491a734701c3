"""Scores of items under a linear model of the reward, for `search_items`: of any range of the catalogue, or of chosen items."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.item_agents.search import ItemScores, positions_within
from recframe.references.bilinear import add_to_history

CHUNK = 8_192
"""Number of items whose variance is computed at once."""


class Expected(NamedTuple):
    """Expected rewards theta' phi for N users.

    query: x' Theta `[N, Q]`.   repeat: `[N, H]`, what is added to each item of the history.   history: `[N, H]` item numbers.
    items: y of all items `[M + 1, Q]`; the last row is that of `PAD`.
    """

    query: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Expected rewards `[N, C]` of the items numbered `chosen` `[N, C]`."""
        scores = torch.einsum("nq,ncq->nc", self.query, self.items[chosen])
        return _add_to_chosen(chosen, scores, self.history, self.repeat)

    def between(self, first: int, last: int) -> Tensor:
        """Expected rewards `[N, last - first]` of the items from number `first` to before `last`."""
        # the row after the last stands for the items of the history outside this range
        scores = self.query @ self.items[first : last + 1].T
        return add_to_history(scores, positions_within(self.history, first, last), self.repeat)


class Variance(NamedTuple):
    """Variances phi' C phi for N users.

    quadratic: S `[N, Q Q]`, where y' S y is the variance of an item that is not in the history.
    repeat: `[N, H]`, what is added to each item of the history.   history: `[N, H]` item numbers.
    items: y of all items `[M + 1, Q]`; the last row is that of `PAD`.
    """

    quadratic: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Variances `[N, C]` of the items numbered `chosen` `[N, C]`."""
        items = self.items[chosen]
        quadratic = self.quadratic.unflatten(1, (items.shape[2], -1))
        scores = torch.einsum("ncq,nqr,ncr->nc", items, quadratic, items)
        return _add_to_chosen(chosen, scores, self.history, self.repeat)

    def between(self, first: int, last: int) -> Tensor:
        """Variances `[N, last - first]` of the items from number `first` to before `last`."""
        parts = self.items[first : last + 1].split(CHUNK)
        pairs = (torch.einsum("mq,mr->mqr", part, part).flatten(start_dim=1) for part in parts)
        scores = torch.cat([self.quadratic @ part.T for part in pairs], dim=1)
        return add_to_history(scores, positions_within(self.history, first, last), self.repeat)


class ItemTable(NamedTuple):
    """Scores of all items that are computed already.

    scores: `[N, M]`.
    """

    scores: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self.scores.gather(1, chosen)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return self.scores[:, first:last]


class UpperBounds(NamedTuple):
    """Upper confidence bounds: the expected reward plus `alpha` standard deviations."""

    expected: ItemScores
    variance: ItemScores
    alpha: float

    def of(self, chosen: Tensor) -> Tensor:
        """Bounds `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self._bound(self.expected.of(chosen), self.variance.of(chosen))

    def between(self, first: int, last: int) -> Tensor:
        """Bounds `[N, last - first]` of the items from number `first` to before `last`."""
        return self._bound(self.expected.between(first, last), self.variance.between(first, last))

    def _bound(self, expected: Tensor, variance: Tensor) -> Tensor:
        # rounding may make a variance near zero negative
        return expected + self.alpha * variance.clamp(min=0.0).sqrt()


def _add_to_chosen(chosen: Tensor, scores: Tensor, history: Tensor, extra: Tensor) -> Tensor:
    """`scores` `[N, C]` with `extra` `[N, H]` added to those of the `chosen` `[N, C]` items that are in the history, once each."""
    again = chosen.unsqueeze(2) == history.unsqueeze(1)
    # an item that is in the history twice has the same extra in both positions
    position = again.int().argmax(dim=2)
    return scores + extra.gather(1, position) * again.any(dim=2)
