"""Thompson sampling with a linear model of the reward (Agrawal & Goyal, 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe_plugins.agents.bandits.config import ThompsonConfig
from recframe_plugins.agents.bandits.linear_bandit import LinearBandit


class Thompson(LinearBandit):
    """Shows the K best items under coefficients drawn for each user from N(A^-1 b, v^2 A^-1) (Agrawal & Goyal, 2013, Algorithm 1)."""

    def __init__(self, config: ThompsonConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.scale = config.scale

    def explore(self, observation: Observation) -> Decision:
        """The best slates under the drawn coefficients."""
        scores = self.model.expected(observation, self.knowledge.items, self.draw(len(observation.user)))
        return Decision(self.best(observation, scores))

    def draw(self, users: int) -> Tensor:
        """Random coefficients for each user, `[N, n]`."""
        posterior = self.knowledge.posterior
        noise = torch.randn(len(posterior.mean), users, generator=self.generator, device=self.spec.device)
        # the covariance of L^-T z is (L L')^-1
        deviations: Tensor = self.scale * torch.linalg.solve_triangular(posterior.factor.T, noise, upper=True).T
        return posterior.mean + deviations
