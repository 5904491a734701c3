"""A minimal training loop that follows the contract of agents: collect, then step at each loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from recframe.experience.completion import completed_step
from recframe.interfaces import Agent, Environment, EnvironmentSpec, Observation, Response, Transition, random_items, transition_of


def first_signal(response: Response) -> Tensor:
    """The reward in the toy environment, `[N, K]`: the response's first signal in alphabetical order."""
    signals: Tensor = response.signals[min(response.signals.keys())]
    return signals


def random_action(observation: Observation, spec: EnvironmentSpec, generator: torch.Generator) -> Tensor:
    """A random argument for `Environment.step`: slates `[N, K]` of allowed items, or actions `[N, A]` within their bounds."""
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
    """Act with exploration for `steps`; returns the transitions `[T, N]` in order of time and the next observation.

    Seed the environment differently from the agent: generators with equal seeds draw equal numbers, and "random" items would then depend on
    the users.
    """
    agent.prepare_to_act()
    transitions = []
    observation = agent.completed(observation)
    for _ in range(steps):
        decision = agent.act(observation, explore=True)
        step = completed_step(agent, environment.step(decision.slate))
        transition = transition_of(observation, decision, step)
        transition.item_reward = item_reward(step.response)
        transition.reward = transition.item_reward.sum(dim=1)
        transitions.append(transition)
        observation = step.observation
        agent.env_steps += observation.user.shape[0]
    rollout: Transition = torch.stack(transitions)  # type: ignore[assignment,arg-type]  # tensorclasses stack like tensors
    return rollout, observation


def update(agent: Agent, optimizers: Mapping[str, torch.optim.Optimizer], batch: Transition) -> list[tuple[str, float]]:
    """Learn from a batch once; returns the losses in the order of their steps."""
    losses = []
    for name, loss in agent.losses(batch):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        losses.append((name, float(loss.detach())))
    return losses
