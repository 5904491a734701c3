"""Steps whose observations have what the agent adds to them, so that it is computed once and stored with what is learned from."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Agent, Observation, Step


@torch.no_grad()
def completed_step(agent: Agent, step: Step) -> Step:
    """The step with `Observation.prior` in both of its observations, if the agent adds one.

    For most users they are one observation, whose prior is computed once. Where a session has ended, its last observation has a prior of
    its own if it was cut by a time limit; the value of one that ended by itself is never asked for.
    """
    observation = agent.completed(step.observation)
    if observation is step.observation or observation.prior is None:
        return step._replace(observation=observation)
    last: Observation = step.next_observation.clone(recurse=False)
    last.prior = observation.prior.clone()
    others = ~_same(step.observation, last)
    last.prior[others] = 0.0
    rows = (others & ~step.terminated).nonzero().squeeze(1)
    if len(rows):
        part: Observation = step.next_observation[rows]
        found = agent.completed(part).prior
        assert found is not None
        last.prior[rows] = found
    return step._replace(observation=observation, next_observation=last)


def _same(one: Observation, other: Observation) -> Tensor:
    """Which users have the same observation in both, `[N]` bool."""
    same = one.user == other.user
    for name in ("history_items", "history_feedback", "candidates", "excluded", "context"):
        left, right = getattr(one, name), getattr(other, name)
        if left is not None and right is not None:
            same = same & (left == right).flatten(1).all(dim=1) if left.dim() > 1 else same & (left == right)
    return same
