"""Choosing items by score, honouring candidates: shared helpers for agents and reference policies."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces.types import Observation


def allowed_items(observation: Observation, scores: Tensor) -> Tensor:
    """`scores` `[N, M]` with -inf for every item that is no candidate of the observation (no change without candidates)."""
    candidates = observation.candidates
    if candidates is None:
        return scores
    # one column more than there are items takes the PADs: -1 modulo M + 1 is M
    allowed = torch.zeros(scores.shape[0], scores.shape[1] + 1, dtype=torch.bool, device=scores.device)
    allowed.scatter_(1, candidates % (scores.shape[1] + 1), True)
    return scores.masked_fill(~allowed[:, :-1], -torch.inf)


def best_items(observation: Observation, scores: Tensor, k: int) -> Tensor:
    """The k allowed items of the highest score, best first, `[N, k]` int64. `scores` is `[N, M]`, or `[M]` for everybody alike."""
    if scores.dim() == 1:
        scores = scores.expand(observation.user.shape[0], -1)
    return allowed_items(observation, scores).topk(k, dim=1).indices


def random_items(observation: Observation, num_items: int, k: int, generator: torch.Generator) -> Tensor:
    """k different allowed items for each user, uniformly at random, `[N, k]` int64."""
    users, device = observation.user.shape[0], observation.user.device
    if k == 1 and observation.candidates is None:
        return torch.randint(num_items, (users, 1), generator=generator, device=device)
    # the k largest of independent uniforms are a uniform draw without replacement
    return best_items(observation, torch.rand(users, num_items, generator=generator, device=device), k)
