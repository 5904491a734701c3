"""Epsilon-greedy exploration over items, and the log-probability of random slates."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Decision, Observation, num_allowed, own_draws, random_items


def linear_schedule(start: float, end: float, duration: int, steps: int) -> float:
    """The value after `steps` of a schedule that goes linearly from `start` to `end` in `duration` steps, then stays constant."""
    return start + (end - start) * min(steps / duration, 1.0)


def random_log_prob(observation: Observation, num_items: int, k: int) -> Tensor:
    """The log-probability `[N]` of any one slate drawn by `random_items`: one in n (n - 1) ... (n - k + 1), for n allowed items."""
    left = num_allowed(observation, num_items).unsqueeze(1) - torch.arange(k, device=observation.user.device)
    return -left.log().sum(dim=1)


class RandomScores(NamedTuple):
    """Random scores of items for N users, which order the items at random. They satisfy `ItemScores`."""

    users: int
    generator: torch.Generator

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`; those of another call differ."""
        return torch.rand(chosen.shape, generator=self.generator, device=self.generator.device)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return torch.rand(self.users, last - first, generator=self.generator, device=self.generator.device)


def epsilon_greedy(observation: Observation, greedy: Tensor, epsilon: float, num_items: int, generator: torch.Generator) -> Decision:
    """The greedy slate `[N, K]`, or with probability `epsilon` a slate of random allowed items, with its log-probability.

    The random draws do not depend on epsilon or on the greedy items, so schedules can be compared under the same draws.
    """
    k = greedy.shape[1]
    random = random_items(observation, num_items, k, generator)
    explores = own_draws(lambda n: torch.rand(n, 1, generator=generator, device=greedy.device), len(greedy)) < epsilon
    slate = torch.where(explores, random, greedy)
    # as logarithms: the number of slates may exceed the range of float32
    explored = _log(epsilon) + random_log_prob(observation, num_items, k)
    exploited = torch.full_like(explored, _log(1 - epsilon)).masked_fill((slate != greedy).any(dim=1), -torch.inf)
    return Decision(slate, torch.logaddexp(explored, exploited))


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -math.inf
