"""The random agent: the floor under every comparison, and the policy that collects unbiased logs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    NoExperience,
    Observation,
    StateTracker,
    Transition,
    random_items,
)
from recframe.item_agents.exploration import random_log_prob
from recframe_plugins.agents.baselines.config import RandomConfig


class RandomAgent(Agent):
    """Shows K different allowed items, uniformly at random, whether it explores or not; a uniform point where actions are continuous."""

    def __init__(self, config: RandomConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.low, self.high = (torch.tensor(bound, device=spec.device) for bound in (spec.action_low, spec.action_high))

    @property
    def experience(self) -> Experience:
        """None is needed."""
        return NoExperience()

    def act(self, observation: Observation, explore: bool) -> Decision:
        """A uniformly random slate; its probability is one in n (n - 1) ... (n - K + 1), with n items to choose from.

        A uniformly random point of the box of actions has the density one over the box's volume.
        """
        if self.spec.actions == "continuous":
            return self._point(len(observation.user))
        items, k = self.spec.num_items, self.spec.slate_size
        return Decision(random_items(observation, items, k, self.generator), random_log_prob(observation, items, k))

    def _point(self, users: int) -> Decision:
        uniform = torch.rand(users, self.spec.action_size, generator=self.generator, device=self.spec.device)
        log_volume = (self.high - self.low).log().sum()
        return Decision(torch.lerp(self.low, self.high, uniform), -log_volume.expand(users))

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses."""
        return iter(())

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers."""
        return {}
