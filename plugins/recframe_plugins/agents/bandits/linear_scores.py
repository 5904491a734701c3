"""Scores of items under a linear model of the reward, for `search_items`: any stretch of the catalogue, or chosen items."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.item_agents.search import positions_within

CHUNK = 8_192
"""Items whose uncertainty is computed at once."""


class Expected(NamedTuple):
    """theta' phi of N users in parts: the queries x' Theta `[N, Q]`, what it adds that an item of the history was shown lately `[N, H]`,
    the history `[N, H]`, and y of all items `[M + 1, Q]`, the last of which is `PAD`'s.
    """

    query: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Expected rewards `[N, C]` of the items numbered `chosen` `[N, C]`."""
        scores = torch.einsum("nq,ncq->nc", self.query, self.items[chosen])
        return _add_where(chosen, scores, self.history, self.repeat)

    def between(self, first: int, last: int) -> Tensor:
        """Expected rewards `[N, last - first]` of the items from number `first` to before `last`."""
        # the row after the last takes what the history holds elsewhere
        scores = self.query @ self.items[first : last + 1].T
        return _add_at(scores, positions_within(self.history, first, last), self.repeat)


class Variance(NamedTuple):
    """phi' C phi of N users in parts: S `[N, Q Q]`, with y' S y for an item not shown lately, what it adds that an item of the history
    was `[N, H]`, the history `[N, H]`, and y of all items `[M + 1, Q]`.
    """

    quadratic: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Variances `[N, C]` of the items numbered `chosen` `[N, C]`."""
        items = self.items[chosen]
        scores = torch.einsum("ncq,nqr,ncr->nc", items, self.quadratic.unflatten(1, (items.shape[2], -1)), items)
        return _add_where(chosen, scores, self.history, self.repeat)

    def between(self, first: int, last: int) -> Tensor:
        """Variances `[N, last - first]` of the items from number `first` to before `last`."""
        stretch = self.items[first : last + 1]
        pairs = (torch.einsum("mq,mr->mqr", part, part).flatten(start_dim=1) for part in stretch.split(CHUNK))
        scores = torch.cat([self.quadratic @ part.T for part in pairs], dim=1)
        return _add_at(scores, positions_within(self.history, first, last), self.repeat)


class Bounds(NamedTuple):
    """Upper confidence bounds: the expected reward and `alpha` standard deviations."""

    expected: Expected
    variance: Variance
    alpha: float

    def of(self, chosen: Tensor) -> Tensor:
        """Bounds `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self._bound(self.expected.of(chosen), self.variance.of(chosen))

    def between(self, first: int, last: int) -> Tensor:
        """Bounds `[N, last - first]` of the items from number `first` to before `last`."""
        return self._bound(self.expected.between(first, last), self.variance.between(first, last))

    def _bound(self, expected: Tensor, variance: Tensor) -> Tensor:
        # rounding may leave a variance of nearly nothing below zero
        return expected + self.alpha * variance.clamp(min=0.0).sqrt()


def _add_at(scores: Tensor, history: Tensor, extra: Tensor) -> Tensor:
    """`scores` `[N, M + 1]` less the last column, PAD's, with `extra` `[N, H]` added to the items of the history, once each."""
    history = history % scores.shape[1]
    return scores.scatter(1, history, scores.gather(1, history) + extra)[:, :-1]


def _add_where(chosen: Tensor, scores: Tensor, history: Tensor, extra: Tensor) -> Tensor:
    """`scores` `[N, C]` with `extra` `[N, H]` added where one of the `chosen` `[N, C]` is that item of the history, once each."""
    again = chosen.unsqueeze(2) == history.unsqueeze(1)
    # an item that the history holds twice has the same extra in both places
    place = again.int().argmax(dim=2)
    return scores + extra.gather(1, place) * again.any(dim=2)
