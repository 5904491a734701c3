"""Thompson sampling with a linear model of the reward (Agrawal & Goyal, 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe.item_agents.search import rank_items
from recframe_plugins.agents.bandits.config import ThompsonConfig
from recframe_plugins.agents.bandits.linear_bandit import LinearBandit


class Thompson(LinearBandit):
    """Shows the K best items under coefficients drawn for each user from N(A^-1 b, v^2 A^-1) (Agrawal & Goyal, 2013, Algorithm 1)."""

    def __init__(self, config: ThompsonConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.scale = config.scale

    def explore(self, observation: Observation) -> Decision:
        """The best slates under the drawn coefficients."""
        posterior, items = self.knowledge
        return Decision(self.best(observation, self.model.sampled(observation, items, posterior, self.scale, self.generator)))

    @torch.no_grad()
    def exploring_items(self, observation: Observation, k: int) -> Tensor:
        """The k best items `[N, k]` under the drawn coefficients."""
        posterior, items = self.knowledge
        scores = self.model.sampled(observation, items, posterior, self.scale, self.generator)
        return rank_items(observation, scores, self.spec.num_items, k)
