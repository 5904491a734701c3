"""Collecting transitions: an agent acts in an environment, one step of all users at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.experience.rewards import RewardSum
from recframe.interfaces import Agent, Environment, Transition, transition_of


class EndedSessions(NamedTuple):
    """The sessions that ended since the last call: their number, and means over them (NaN if none ended)."""

    num_sessions: float
    mean_return: float
    mean_length: float
    terms: dict[str, float]


class Collector:
    """Runs the training environment and keeps totals of its sessions.

    Totals stay on the device, and only `ended_sessions()` reads them, so that a step never waits for the host.
    """

    def __init__(self, environment: Environment, rewards: RewardSum, seed: int) -> None:
        self.environment = environment
        self.rewards = rewards
        self.observation = environment.reset(seed)
        users, device = environment.spec.num_users, environment.spec.device
        names = list(rewards.terms)
        # rows: return, length, then one row for each reward term
        self._running = torch.zeros(2 + len(names), users, device=device)
        self._ended = torch.zeros(2 + len(names), device=device)
        self._count = torch.zeros((), device=device)
        self._names = names

    @torch.no_grad()
    def step(self, agent: Agent) -> Transition:
        """One step of all N users, in which `agent` explores."""
        observation = self.observation
        decision = agent.act(observation, explore=True)
        outcome = self.environment.step(decision.slate)
        users = self.environment.spec.num_users
        transition = transition_of(observation, decision, outcome)
        item_reward, terms = self.rewards(transition)
        transition.item_reward = item_reward
        transition.reward = item_reward.sum(dim=1)
        self._tally(transition.reward, terms, outcome.terminated | outcome.truncated)
        self.observation = outcome.observation
        agent.env_steps += users
        return transition

    def _tally(self, reward: Tensor, terms: dict[str, Tensor], done: Tensor) -> None:
        self._running += torch.stack([reward, torch.ones_like(reward), *(terms[name] for name in self._names)])
        ended = done.to(self._running.dtype)
        self._ended += self._running @ ended
        self._count += ended.sum()
        self._running *= 1.0 - ended

    def ended_sessions(self) -> EndedSessions:
        """The sessions that ended since the last call."""
        count = float(self._count)
        means = (self._ended / self._count).tolist()
        self._ended.zero_()
        self._count.zero_()
        return EndedSessions(count, means[0], means[1], dict(zip(self._names, means[2:], strict=True)))

    def state_dict(self) -> dict[str, Any]:
        """The state of the environment, also within sessions, and the totals."""
        return {
            "environment": self.environment.state_dict(),
            "running": self._running.clone(),
            "ended": self._ended.clone(),
            "count": self._count.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved collector."""
        self.observation = self.environment.load_state_dict(state["environment"])
        self._running.copy_(state["running"])
        self._ended.copy_(state["ended"])
        self._count.copy_(state["count"])
