"""Search for the items of the highest scores, in bounded memory however large the catalogue is."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Observation, allowed_items, is_excluded, num_allowed
from recframe.item_agents.top_columns import best_so_far, top_columns

MAX_SCORES = 2**24
"""Scores computed at once, 64 MiB of them: for 256 users, 65,536 items at a time."""


class ItemScores(Protocol):
    """Scores of items for N users. The results of `of` and `between` may differ by a constant for each user."""

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""


class BestItems(NamedTuple):
    """The scores `[N, k]` of the best items, best first, -inf where fewer than k may be shown, and the items `[N, k]` int64."""

    scores: Tensor
    items: Tensor


def search_items(observation: Observation, scores: ItemScores, num_items: int, k: int, candidates_only: bool = False) -> BestItems:
    """The k items of the highest scores among those that may be shown.

    Up to `MAX_SCORES` scores, the catalogue is scored as a whole. Beyond, each user's candidates alone are scored, or, without candidates,
    the catalogue part by part, keeping the best items so far.

    candidates_only: score each user's candidates alone in a small catalogue too.
    """
    users = len(observation.user)
    size = max(MAX_SCORES // users, k)
    if observation.candidates is not None and (candidates_only or num_items > size):
        return _best_candidates(observation, observation.candidates, scores, k)
    if num_items <= size:
        return BestItems(*top_columns(allowed_items(observation, scores.between(0, num_items)), k))
    best: BestItems | None = None
    for first in range(0, num_items, size):
        last = min(first + size, num_items)
        found = allowed_items(_within(observation, first, last), scores.between(first, last))
        values, positions = top_columns(found, min(k, last - first))
        best = BestItems(*best_so_far(best, values, positions + first, k))
    assert best is not None
    return best


def rank_items(observation: Observation, scores: ItemScores, num_items: int, k: int) -> Tensor:
    """The k items of the highest scores among those that may be shown, best first, `[N, k]`; `PAD` where there are fewer."""
    return as_ranking(observation, search_items(observation, scores, num_items, min(k, num_items)).items, num_items, k)


def as_ranking(observation: Observation, items: Tensor, num_items: int, k: int) -> Tensor:
    """The first k of `items` `[N, j]`, which are best first and those that may not be shown last, `[N, k]`: `PAD` in place of these.

    num_items: M. Where j < k, `items` must hold all that may be shown.
    """
    items = F.pad(items[:, :k], (0, max(k - items.shape[1], 0)), value=PAD)
    places = torch.arange(k, device=items.device)
    return items.masked_fill(places >= num_allowed(observation, num_items).unsqueeze(1), PAD)


def _best_candidates(observation: Observation, candidates: Tensor, scores: ItemScores, k: int) -> BestItems:
    forbidden = (candidates == PAD) | is_excluded(observation, candidates)
    # a finished session may have no candidates at all: item 0 stands for PAD there
    items = candidates.clamp(min=0)
    values, positions = top_columns(scores.of(items).masked_fill(forbidden, -torch.inf), k)
    return BestItems(values, items.gather(1, positions))


def _within(observation: Observation, first: int, last: int) -> Observation:
    """The observation for the part of the catalogue from item `first` to before `last`."""
    if observation.excluded is None:
        return observation
    part: Observation = observation.clone(recurse=False)
    part.excluded = positions_within(observation.excluded, first, last)
    return part


def positions_within(items: Tensor, first: int, last: int) -> Tensor:
    """Item numbers less `first`; `PAD` for numbers below `first`, numbers from `last` on, and `PAD`."""
    return torch.where((items >= first) & (items < last), items - first, PAD)
