"""The training loop in its smallest form, as the agents' contract describes it: collect, then step at each loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from recframe.interfaces import Agent, Environment, EnvironmentSpec, Observation, Response, Transition, random_items, transition_of


def first_signal(response: Response) -> Tensor:
    """The reward of the toy world, `[N, K]`: the response's first signal, in alphabetical order."""
    signals: Tensor = response.signals[min(response.signals.keys())]
    return signals


def random_action(observation: Observation, spec: EnvironmentSpec, generator: torch.Generator) -> Tensor:
    """What a random policy passes to `Environment.step`: slates `[N, K]` of allowed items, or actions `[N, A]` within their bounds."""
    if spec.actions == "items":
        return random_items(observation, spec.num_items, spec.slate_size, generator)
    low, high = (torch.tensor(bounds, device=spec.device) for bounds in (spec.action_low, spec.action_high))
    return torch.lerp(low, high, torch.rand(len(observation.user), spec.action_size, generator=generator, device=spec.device))


@torch.no_grad()
def collect(
    agent: Agent,
    environment: Environment,
    observation: Observation,
    steps: int,
    item_reward: Callable[[Response], Tensor] = first_signal,
) -> tuple[Transition, Observation]:
    """Act and explore for `steps`; gives the transitions `[T, N]` in order of time and the observation to go on from.

    Seed the environment unlike the agent: generators of equal seeds draw equal numbers, and "random" items then follow the people met.
    """
    agent.prepare_to_act()
    transitions = []
    for _ in range(steps):
        decision = agent.act(observation, explore=True)
        step = environment.step(decision.slate)
        transition = transition_of(observation, decision, step)
        transition.item_reward = item_reward(step.response)
        transition.reward = transition.item_reward.sum(dim=1)
        transitions.append(transition)
        observation = step.observation
        agent.env_steps += observation.user.shape[0]
    return torch.stack(transitions), observation


def update(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], batch: Transition) -> list[tuple[str, float]]:
    """One bout of learning from a batch; gives the losses in the order they were stepped."""
    losses = []
    for name, loss in agent.losses(batch):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        losses.append((name, float(loss.detach())))
    return losses
