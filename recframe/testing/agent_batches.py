"""What agents are checked with: observations to act on, and batches of the kind that they learn from."""

from __future__ import annotations

from typing import Any

import torch

from recframe.interfaces import Agent, Environment, Observation, Replay, Sequences, Transition, WholeLog
from recframe.testing.loop import collect, random_action
from recframe.testing.toy import toy_log, toy_sequences

STEPS = 6


def observations_of(environment: Environment) -> list[Observation]:
    """Observations of new sessions, of running sessions, of a single user, and of more users than in training."""
    new = environment.reset(0)
    action = random_action(new, environment.spec, torch.Generator(environment.spec.device).manual_seed(0))
    later = environment.step(action).observation
    both: Observation = torch.cat([new, later])  # type: ignore[assignment,list-item]  # tensorclasses concatenate like tensors
    return [new, later, later[:1], both]


def batches_for(agent: Agent, environment: Environment, count: int) -> list[Any]:
    """Training batches of the kind the agent asks for."""
    if isinstance(agent.experience, Sequences):
        return [toy_sequences(agent.spec, agent.experience, seed) for seed in range(count)]
    if isinstance(agent.experience, WholeLog):
        return [toy_log(agent.spec, seed) for seed in range(count)]
    observation, generator = environment.reset(1), torch.Generator(environment.spec.device).manual_seed(0)
    batches = []
    for _ in range(count):
        rollout, observation = collect(agent, environment, observation, STEPS)
        if isinstance(agent.experience, Replay):
            rollout = _replayed(rollout.reshape(-1), agent.experience, generator)
        batches.append(rollout)
    return batches


def _replayed(pool: Transition, plan: Replay, generator: torch.Generator) -> Transition:
    """A batch as from a replay memory: with discounts of several steps and with weights, if the agent asks for them."""
    size, device = (plan.batch_size,), generator.device
    batch = pool[torch.randint(len(pool), size, generator=generator, device=device)]
    if plan.n_step > 1:
        batch.discount = plan.gamma ** torch.randint(1, plan.n_step + 1, size, generator=generator, device=device)
    if plan.priority_exponent > 0:
        # the largest weight is 1, and none is 0
        weight = 0.1 + torch.rand(size, generator=generator, device=device)
        batch.weight = weight / weight.max()
    return batch
