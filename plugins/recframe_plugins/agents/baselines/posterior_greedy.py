"""The items of highest expected reward given what the user said in this session, learned from random recommendations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    Observation,
    ResponseLog,
    Rollout,
    StateTracker,
    Transition,
    without_questions,
)
from recframe.item_agents.exploration import RandomScores
from recframe.item_agents.search import rank_items, search_items
from recframe.references.posterior_greedy import ResponseModel
from recframe.references.posterior_of_log import fit_to_log
from recframe.references.random import random_items_with_repeats
from recframe_plugins.agents.bandits.linear_scores import Expected
from recframe_plugins.agents.baselines.config import PosteriorGreedyConfig


class PosteriorGreedy(Agent):
    """Collaborative filtering within a session: a Gaussian model of people's responses, conditioned on the history. It does not plan.

    The model and its equations are those of `recframe.references.posterior_greedy`. In training the agent shows random slates, and keeps
    the last responses; the model is fitted to them when it is first needed (`fit_to_log`). Where users are rows of the data, all sessions
    of a training person tell about one taste; anonymous users have a taste for each session. The agent reads no texts, so it knows
    nothing about items that it has never shown: it expects the mean reward of them. It asks no questions.
    """

    people: Tensor
    visits: Tensor
    items: Tensor
    signals: Tensor
    rewards: Tensor
    repeated: Tensor
    sessions: Tensor

    def __init__(self, config: PosteriorGreedyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.repeats = config.repeats
        self.fit_seed = seed
        size, device = config.responses, spec.device
        self.register_buffer("people", torch.zeros(size, dtype=torch.int64, device=device))
        self.register_buffer("visits", torch.zeros(size, dtype=torch.int64, device=device))
        self.register_buffer("items", torch.zeros(size, dtype=torch.int64, device=device))
        self.register_buffer("signals", torch.zeros(size, len(spec.signals), device=device))
        self.register_buffer("rewards", torch.zeros(size, device=device))
        self.register_buffer("repeated", torch.zeros(size, dtype=torch.bool, device=device))
        # the number of the session that each of the environment's users is in
        self.register_buffer("sessions", torch.arange(spec.num_users, device=device))
        self.num_responses = 0
        self._model: ResponseModel | None = None

    @property
    def experience(self) -> Experience:
        """Every step once."""
        return Rollout()

    @property
    def model(self) -> ResponseModel | None:
        """The model of the responses so far; None before the first."""
        if self._model is None and self.num_responses:
            size = min(self.num_responses, len(self.items))
            people, sessions, items = self.people[:size], self.visits[:size], self.items[:size]
            log = ResponseLog(people, sessions, items, self.signals[:size], self.rewards[:size], self.repeated[:size])
            self._model = fit_to_log(log, self.spec.first_question, torch.Generator(self.spec.device).manual_seed(self.fit_seed))
        return self._model

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The slate of the highest expected reward, or in training a random one to learn from, sometimes with an item of the history."""
        items, k = self.spec.first_question, self.spec.slate_size
        observation = without_questions(observation, items)
        model = None if explore else self.model
        if model is None:
            return Decision(random_items_with_repeats(observation, items, k, self.repeats, self.generator))
        return Decision(search_items(observation, expected_rewards(model, observation), items, k).items)

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The items of the highest expected reward, `[N, k]`; random ones before there are responses."""
        model = self.model
        scores = RandomScores(len(observation.user), self.generator) if model is None else expected_rewards(model, observation)
        items = self.spec.first_question
        return rank_items(without_questions(observation, items), scores, items, k)

    @torch.no_grad()
    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the responses of the rollout `[T, N]` are added to the kept ones, and take the place of the oldest."""
        visits = self._session_numbers(batch.terminated | batch.truncated)
        people = batch.observation.user if self.spec.has_users else visits
        signals = torch.stack([batch.response.signals[name] for name in self.spec.signals], dim=-1)
        repeated = (batch.slate[..., None] == batch.observation.history_items[..., None, :]).any(dim=-1)
        parts = {
            "people": people[..., None].expand_as(batch.slate).flatten(),
            "visits": visits[..., None].expand_as(batch.slate).flatten(),
            "items": batch.slate.flatten(),
            "signals": signals.flatten(end_dim=-2),
            "rewards": batch.item_reward.flatten(),
            "repeated": repeated.flatten(),
        }
        added, size = batch.slate.numel(), len(self.items)
        kept = torch.arange(max(0, added - size), added, device=self.items.device)
        places = (self.num_responses + kept) % size
        for name, values in parts.items():
            getattr(self, name)[places] = values[kept]
        self.num_responses += added
        self._model = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers: the fit has updates in closed form."""
        return {}

    def get_extra_state(self) -> dict[str, Any]:
        """The state of every agent, and how many responses there were."""
        return super().get_extra_state() | {"num_responses": self.num_responses}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load a saved state, and discard the model of the previous responses."""
        super().set_extra_state(state)
        self.num_responses = int(state["num_responses"])
        self._model = None

    def _session_numbers(self, ended: Tensor) -> Tensor:
        """The numbers `[T, N]` of sessions, all different, given which steps `[T, N]` were the last of theirs."""
        before = ended.cumsum(dim=0) - ended.int()
        numbers = self.sessions + len(self.sessions) * before
        self.sessions = self.sessions + len(self.sessions) * ended.sum(dim=0)
        return numbers


def expected_rewards(model: ResponseModel, observation: Observation) -> Expected:
    """The expected reward of every item given the history."""
    history = observation.history_items
    query = model.query(history, observation.history_feedback)
    return Expected(query, model.repeat.expand(history.shape), history, model.rewards)
