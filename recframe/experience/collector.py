"""Collecting transitions: an agent acts in an environment, one step of all users at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.attribution import REWARD_NOT_FINITE, ComponentFailure, Evidence, Turn, blaming, failure_in, recorded_trackers
from recframe.experience.completion import completed_step
from recframe.experience.rewards import RewardSum
from recframe.interfaces import Agent, Environment, Transition, division, sum_of_all, transition_of


class EndedSessions(NamedTuple):
    """The sessions that ended since the last call: their number, and means over them (NaN if none ended)."""

    num_sessions: float
    mean_return: float
    mean_length: float
    terms: dict[str, float]


class Collector:
    """Runs the training environment and keeps totals of its sessions.

    Totals stay on the device, and only `ended_sessions()` reads them, so that a step never waits for the host. What environment and agent
    hand each other is checked in the first step, and again where a step fails.
    """

    def __init__(self, environment: Environment, rewards: RewardSum, seed: int) -> None:
        self.environment = environment
        self.rewards = rewards
        with blaming(environment):
            self.observation = environment.reset(seed)
        users, device = environment.spec.num_users, environment.spec.device
        names = list(rewards.terms)
        # rows: return, length, then one row for each reward term
        self._running = torch.zeros(2 + len(names), users, device=device)
        self._ended = torch.zeros(2 + len(names), device=device)
        self._count = torch.zeros((), device=device)
        self._names = names
        self._checked = False
        self._evidence: Evidence | None = None

    def start_chunk(self, agent: Agent) -> None:
        """Begin to keep what `not_finite` looks at, in place of that of the chunk before."""
        self._evidence = Evidence(self.environment, agent)

    @torch.no_grad()
    def step(self, agent: Agent) -> Transition:
        """One step of all N users, in which `agent` explores.

        Raises
        ------
        ComponentFailure: naming the environment, the agent, the state tracker or the reward that failed or broke its contract.
        """
        turn = Turn(self.environment, agent, self.observation)
        try:
            turn.observation = agent.completed(turn.observation)
            transition = self._step(agent, turn) if self._checked else self._first_step(agent, turn)
        except Exception as error:
            blamed = turn.blame(error)
            if blamed is error:
                raise
            raise blamed from error
        agent.env_steps += self.environment.spec.num_users * division().ranks
        return transition

    def _first_step(self, agent: Agent, turn: Turn) -> Transition:
        turn.require_observation()
        with recorded_trackers(agent) as trackers:
            try:
                turn.decision = agent.act(turn.observation, explore=True)
            finally:
                trackers.require_sound()
        turn.require_decision()
        turn.step = self.environment.step(turn.decision.slate)
        turn.require_step()
        self._checked = True
        return self._rated(agent, turn)

    def _step(self, agent: Agent, turn: Turn) -> Transition:
        turn.decision = agent.act(turn.observation, explore=True)
        turn.step = self.environment.step(turn.decision.slate)
        return self._rated(agent, turn)

    def _rated(self, agent: Agent, turn: Turn) -> Transition:
        outcome = completed_step(agent, turn.step)
        transition = transition_of(turn.observation, turn.decision, outcome)
        item_reward, terms = self.rewards(transition)
        transition.item_reward = item_reward
        transition.reward = item_reward.sum(dim=1)
        self._tally(transition.reward, terms, outcome.terminated | outcome.truncated)
        self.observation = outcome.observation
        if self._evidence is not None:
            self._evidence.add(turn.decision.slate, outcome)
        return transition

    def not_finite(self) -> ComponentFailure | None:
        """The failure of the component that was the first to give NaN or an infinite number in this chunk; None if none did."""
        found = None if self._evidence is None else self._evidence.problem()
        if found is not None:
            return failure_in(found)
        # a total that is not finite stays so
        totals = (self._running.sum(dim=1) + self._ended).isfinite().tolist()
        for name, finite in zip(self._names, totals[2:], strict=True):
            if not finite:
                return failure_in((self.rewards.terms[name][0], REWARD_NOT_FINITE))
        return None

    def _tally(self, reward: Tensor, terms: dict[str, Tensor], done: Tensor) -> None:
        self._running += torch.stack([reward, torch.ones_like(reward), *(terms[name] for name in self._names)])
        ended = done.to(self._running.dtype)
        self._ended += self._running @ ended
        self._count += ended.sum()
        self._running *= 1.0 - ended

    def ended_sessions(self) -> EndedSessions:
        """The sessions that ended since the last call, of the users of all processes."""
        *sums, count = sum_of_all(torch.cat([self._ended, self._count.view(1)]))
        means = (torch.stack(sums) / count).tolist()
        self._ended.zero_()
        self._count.zero_()
        return EndedSessions(float(count), means[0], means[1], dict(zip(self._names, means[2:], strict=True)))

    def state_dict(self) -> dict[str, Any]:
        """The state of the environment, also within sessions, and the totals."""
        with blaming(self.environment):
            environment = self.environment.state_dict()
        return {
            "environment": environment,
            "running": self._running.clone(),
            "ended": self._ended.clone(),
            "count": self._count.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved collector."""
        with blaming(self.environment):
            self.observation = self.environment.load_state_dict(state["environment"])
        self._running.copy_(state["running"])
        self._ended.copy_(state["ended"])
        self._count.copy_(state["count"])
