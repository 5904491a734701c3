"""The base of the linear contextual bandits: agents that learn the immediate reward of items and do not plan."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Agent, Decision, EnvironmentSpec, Experience, Observation, Rollout, StateTracker, Transition
from recframe.item_agents.search import ItemScores, rank_items, search_items
from recframe_plugins.agents.bandits.arm_reward import ArmReward
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.linear_reward import LinearReward
from recframe_plugins.agents.bandits.reward_model import RewardModel


class Knowledge(NamedTuple):
    """The posterior, and the features of all items `[M + 1, Q]`, which decisions use until the next rewards arrive."""

    posterior: Any
    items: Tensor


class LinearBandit(Agent):
    """Shows the K items of the highest expected reward, which it learns in closed form from every reward once.

    Rewards arrive in chunks, so all decisions of a chunk use only the rewards of earlier chunks: a bandit with delayed feedback.
    Subclasses define how to explore.
    """

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        model = LinearReward if config.model == "shared" else ArmReward
        self.model: RewardModel = model(config, spec, state_tracker)
        self._knowledge: Knowledge | None = None

    @property
    def experience(self) -> Experience:
        """Every step once, because a reward that is learned twice counts twice."""
        return Rollout()

    @property
    def knowledge(self) -> Knowledge:
        """The current posterior and item features."""
        if self._knowledge is None:
            self._knowledge = Knowledge(self.model.posterior(), self.model.items())
        return self._knowledge

    def prepare_to_act(self) -> None:
        """Compute the posterior once for the next decisions."""
        self._knowledge = None
        self._knowledge = self.knowledge

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The slate of the highest expected reward, or an exploring one."""
        return self.explore(observation) if explore else Decision(self.greedy(observation))

    def greedy(self, observation: Observation) -> Tensor:
        """The slates `[N, K]` of the highest expected reward."""
        return self.best(observation, self.expected(observation))

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The items of the highest expected reward, `[N, k]`."""
        return rank_items(observation, self.expected(observation), self.spec.num_items, k)

    @torch.no_grad()
    def scores_of_items(self, observation: Observation, items: Tensor) -> Tensor | None:
        """The expected rewards `[N, C]`."""
        return self.expected(observation).of(items)

    @torch.no_grad()
    def scores_of_all(self, observation: Observation) -> Tensor | None:
        """The expected rewards `[N, M]`, by one product."""
        return self.expected(observation).between(0, self.spec.num_items)

    def expected(self, observation: Observation) -> ItemScores:
        """The expected reward of every item."""
        posterior, items = self.knowledge
        return self.model.expected(observation, items, posterior.mean)

    def best(self, observation: Observation, scores: ItemScores) -> Tensor:
        """The slates `[N, K]` of the highest scores. Memory is bounded for catalogues of any size."""
        return search_items(observation, scores, self.spec.num_items, self.spec.slate_size).items

    @abstractmethod
    def explore(self, observation: Observation) -> Decision:
        """The slates `[N, K]` to learn from."""

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the rewards of the rollout are added to the posterior."""
        self.model.learn(batch.reshape(-1))
        self._knowledge = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers: the posterior has a closed form."""
        return {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load a saved state, and discard what was computed from the previous posterior."""
        super().set_extra_state(state)
        self.model.forget()
        self._knowledge = None
