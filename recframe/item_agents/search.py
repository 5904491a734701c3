"""The best items of a catalogue by score, in bounded memory however large the catalogue is."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation, allowed_items, is_excluded
from recframe.item_agents.top_columns import best_so_far, top_columns

MAX_SCORES = 2**24
"""Scores held at once, 64 MiB of them: for 256 users the catalogue is gone through 65,536 items at a time."""


class ItemScores(Protocol):
    """Scores of items for N users. What `of` and `between` give may differ by something that is the same for all of a user's items."""

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""


class Best(NamedTuple):
    """The scores `[N, k]` of the best items, best first, -inf where there are no more that may be shown, and the items `[N, k]` int64."""

    scores: Tensor
    items: Tensor


def search_items(observation: Observation, scores: ItemScores, num_items: int, k: int) -> Best:
    """The k best of the items that may be shown.

    Up to `MAX_SCORES` scores are computed at once. Beyond, a user's candidates alone are scored where there are candidates; otherwise
    the catalogue is gone through stretch by stretch, keeping the best so far.
    """
    users = len(observation.user)
    stretch = max(MAX_SCORES // users, k)
    if num_items <= stretch:
        found = allowed_items(observation, scores.between(0, num_items))
        return Best(*top_columns(found, k))
    if observation.candidates is not None:
        return _best_candidates(observation, observation.candidates, scores, k)
    best: Best | None = None
    for first in range(0, num_items, stretch):
        last = min(first + stretch, num_items)
        found = allowed_items(_within(observation, first, last), scores.between(first, last))
        values, positions = top_columns(found, min(k, last - first))
        best = Best(*best_so_far(best, values, positions + first, k))
    assert best is not None
    return best


def _best_candidates(observation: Observation, candidates: Tensor, scores: ItemScores, k: int) -> Best:
    forbidden = (candidates == PAD) | is_excluded(observation, candidates)
    # a finished session may have no candidates at all: any item stands in for those
    items = candidates.clamp(min=0)
    values, positions = scores.of(items).masked_fill(forbidden, -torch.inf).topk(k, dim=1)
    return Best(values, items.gather(1, positions))


def _within(observation: Observation, first: int, last: int) -> Observation:
    """The observation as it is for a catalogue that begins with the item `first` and ends before `last`."""
    if observation.excluded is None:
        return observation
    part = observation.clone(recurse=False)
    part.excluded = positions_within(observation.excluded, first, last)
    return part


def positions_within(items: Tensor, first: int, last: int) -> Tensor:
    """Item numbers counted from `first`; `PAD` for those before it, for those from `last` on, and for `PAD`."""
    return torch.where((items >= first) & (items < last), items - first, PAD)
