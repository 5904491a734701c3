"""The random agent: the lower bound of every comparison, and a logging policy that collects unbiased logs."""

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
    without_questions,
)
from recframe.item_agents.exploration import RandomScores, random_log_prob
from recframe.item_agents.search import rank_items
from recframe.references.random import action_bounds, random_actions
from recframe_plugins.agents.baselines.config import RandomConfig


class RandomAgent(Agent):
    """Shows K different allowed items, uniformly at random, or takes a uniformly random action if actions are continuous.

    It does the same whether it explores or not. It asks no questions.
    """

    def __init__(self, config: RandomConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.low, self.high = action_bounds(spec)

    @property
    def experience(self) -> Experience:
        """It learns from no experience."""
        return NoExperience()

    def act(self, observation: Observation, explore: bool) -> Decision:
        """A uniformly random slate or action, and its log-probability.

        With n items to choose from, a slate has the probability `1 / (n (n - 1) ... (n - K + 1))`. A point of the box of continuous
        actions has the density `1 / volume`.
        """
        users = len(observation.user)
        if self.spec.actions == "continuous":
            log_volume = (self.high - self.low).log().sum()
            return Decision(random_actions(self.low, self.high, users, self.generator), -log_volume.expand(users))
        items, k = self.spec.first_question, self.spec.slate_size
        observation = without_questions(observation, items)
        return Decision(random_items(observation, items, k, self.generator), random_log_prob(observation, items, k))

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """k items in random order, `[N, k]`."""
        items = self.spec.first_question
        return rank_items(without_questions(observation, items), RandomScores(len(observation.user), self.generator), items, k)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses."""
        return iter(())

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers."""
        return {}
