"""How agents that value items explore, and how likely a random choice is: shared by the built-in agents."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Decision, Observation, is_excluded, random_items


def linear_schedule(start: float, end: float, duration: int, steps: int) -> float:
    """From `start` to `end` in `duration` steps along a line, then level."""
    return start + (end - start) * min(steps / duration, 1.0)


def num_allowed(observation: Observation, num_items: int) -> Tensor:
    """How many items each user may be shown, `[N]` float32."""
    candidates = observation.candidates
    if candidates is not None:
        return ((candidates != PAD) & ~is_excluded(observation, candidates)).sum(dim=1).float()
    everything = torch.full_like(observation.user, num_items, dtype=torch.float32)
    if observation.excluded is None:
        return everything
    # an item that is excluded twice is one item less all the same
    excluded = observation.excluded.sort(dim=1).values
    counted = F.pad(excluded[:, 1:] != excluded[:, :-1], (1, 0), value=True) & (excluded != PAD)
    return everything - counted.sum(dim=1)


def epsilon_greedy(observation: Observation, greedy: Tensor, epsilon: float, num_items: int, generator: torch.Generator) -> Decision:
    """The greedy item `[N, 1]`, or with probability epsilon a uniformly random allowed one, and the log-probability of what came of it.

    What is drawn does not depend on epsilon or on the greedy items, so schedules can be compared on the same luck.
    """
    random = random_items(observation, num_items, 1, generator)
    explores = torch.rand(greedy.shape, generator=generator, device=greedy.device) < epsilon
    slate = torch.where(explores, random, greedy)
    probability = epsilon / num_allowed(observation, num_items) + (1 - epsilon) * (slate == greedy).squeeze(1)
    return Decision(slate, probability.log())
