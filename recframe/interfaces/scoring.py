"""Choosing items by score among those that may be shown: helpers for agents and reference policies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces.division import own_draws
from recframe.interfaces.environment import EnvironmentSpec
from recframe.interfaces.types import PAD, Observation

MANY_PAIRS = 2**12
"""The largest number of pairs (item, excluded item) that are compared directly for each user; with more, items are searched for."""

MANY_ITEMS = 2**16
"""The largest catalogue in which a draw of a few items gives every item a random number."""


def allowed_items(observation: Observation, scores: Tensor) -> Tensor:
    """`scores` `[N, M]` with -inf for every item that may not be shown: because it is not a candidate, or is excluded."""
    candidates, excluded = observation.candidates, observation.excluded
    if candidates is None and excluded is None:
        return scores
    # the additional column M takes the PADs: -1 modulo M + 1 is M
    columns = scores.shape[1] + 1
    shape = (scores.shape[0], columns)
    if candidates is None:
        allowed = torch.ones(shape, dtype=torch.bool, device=scores.device)
    else:
        allowed = torch.zeros(shape, dtype=torch.bool, device=scores.device).scatter_(1, candidates % columns, True)
    if excluded is not None:
        allowed.scatter_(1, excluded % columns, False)
    return scores.masked_fill(~allowed[:, :-1], -torch.inf)


def is_excluded(observation: Observation, items: Tensor) -> Tensor:
    """Which of `items` `[N, C]` the observation excludes, `[N, C]` bool; memory grows with C and E, not with the catalogue."""
    excluded: Tensor | None = observation.excluded
    if excluded is None:
        return torch.zeros_like(items, dtype=torch.bool)
    if items.shape[1] * excluded.shape[1] <= MANY_PAIRS:
        found: Tensor = (items[:, :, None] == excluded[:, None, :]).any(dim=2)
        return found
    ordered = excluded.sort(dim=1).values
    places = torch.searchsorted(ordered, items.contiguous()).clamp(max=ordered.shape[1] - 1)
    return ordered.gather(1, places) == items


def num_allowed(observation: Observation, num_items: int) -> Tensor:
    """The number of items that each user may be shown, `[N]` float32."""
    candidates = observation.candidates
    if candidates is not None:
        return ((candidates != PAD) & ~is_excluded(observation, candidates)).sum(dim=1).float()
    everything = torch.full_like(observation.user, num_items, dtype=torch.float32)
    if observation.excluded is None:
        return everything
    # an item that is excluded twice counts once
    excluded = observation.excluded.sort(dim=1).values
    counted = F.pad(excluded[:, 1:] != excluded[:, :-1], (1, 0), value=True) & (excluded != PAD)
    return everything - counted.sum(dim=1)


def may_run_out(spec: EnvironmentSpec) -> bool:
    """Whether a session may leave fewer than K items to show, by the numbers of items, candidates and exclusions."""
    return (spec.num_candidates or spec.num_items) - spec.num_questions < spec.slate_size + spec.num_excluded


def runs_out(observation: Observation, spec: EnvironmentSpec) -> Tensor:
    """The users who may be shown fewer than K items, `[N]` bool: their session has no future and is terminated. Questions do not count."""
    return num_allowed(observation, spec.num_items) - spec.num_questions < spec.slate_size


def best_items(observation: Observation, scores: Tensor, k: int) -> Tensor:
    """The k allowed items of the highest score, best first, `[N, k]` int64. `scores` is `[N, M]`, or `[M]`, the same for all users."""
    if scores.dim() == 1:
        scores = scores.expand(observation.user.shape[0], -1)
    return allowed_items(observation, scores).topk(k, dim=1).indices


def random_items(observation: Observation, num_items: int, k: int, generator: torch.Generator) -> Tensor:
    """k different allowed items for each user, uniformly at random, `[N, k]` int64."""
    users, device = observation.user.shape[0], observation.user.device
    if k == 1 and observation.candidates is None and observation.excluded is None:
        return own_draws(lambda n: torch.randint(num_items, (n, 1), generator=generator, device=device), users)
    candidates = observation.candidates
    # the k largest of independent uniforms are a uniform draw without replacement
    if candidates is None:
        if num_items > MANY_ITEMS:
            return _random_items_of_many(observation, num_items, k, generator)
        return best_items(observation, own_draws(lambda n: torch.rand(n, num_items, generator=generator, device=device), users), k)
    # the cost grows with the candidates, not with the catalogue; PAD and excluded items come last
    size = candidates.shape[1]
    draws = own_draws(lambda n: torch.rand(n, size, generator=generator, device=device), users).masked_fill(candidates < 0, -1.0)
    if observation.excluded is not None:
        draws = draws.masked_fill(is_excluded(observation, candidates), -1.0)
    return candidates.gather(1, draws.topk(k, dim=1).indices)


def _random_items_of_many(observation: Observation, num_items: int, k: int, generator: torch.Generator) -> Tensor:
    """`random_items`, one item of the slate after the other: the cost grows with k and E, not with the catalogue."""
    users, device = observation.user.shape[0], observation.user.device
    excluded = observation.excluded if observation.excluded is not None else observation.history_items[:, :0]
    nowhere = 2 * num_items
    taken = excluded.masked_fill(excluded == PAD, nowhere).sort(dim=1).values
    # an item that is excluded twice counts once
    repeated = torch.zeros_like(taken, dtype=torch.bool)
    repeated[:, 1:] = taken[:, 1:] == taken[:, :-1]
    taken = taken.masked_fill(repeated, nowhere).sort(dim=1).values
    slate = []
    for _ in range(k):
        left = num_items - (taken < num_items).sum(dim=1, keepdim=True)
        draws = own_draws(lambda n: torch.rand(n, 1, generator=generator, device=device, dtype=torch.float64), users)
        rank = (draws * left).long()
        # ranks do not count taken items: the item's number is its rank plus the number of taken items before it
        item = rank + (taken - torch.arange(taken.shape[1], device=device) <= rank).sum(dim=1, keepdim=True)
        slate.append(item)
        taken = torch.cat([taken, item], dim=1).sort(dim=1).values
    return torch.cat(slate, dim=1)
