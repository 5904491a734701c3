"""The most popular items as an agent."""

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
    without_questions,
)
from recframe.item_agents.search import as_ranking
from recframe.references.popular import PopularPolicy
from recframe_plugins.agents.baselines.config import PopularConfig


class Popular(Agent):
    """Shows the most popular items that are not in the observed history; see `PopularPolicy`. It asks no questions."""

    def __init__(self, config: PopularConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.policy = PopularPolicy(spec, state_tracker.data.catalog.popularity[: spec.first_question], config.repeats)

    @property
    def experience(self) -> Experience:
        """It learns from no experience."""
        return NoExperience()

    def act(self, observation: Observation, explore: bool) -> Decision:
        """The popular slates."""
        return Decision(self.policy(without_questions(observation, self.spec.first_question)))

    def rank(self, observation: Observation, k: int) -> Tensor:
        """The most popular items, `[N, k]`."""
        items = self.spec.first_question
        observation = without_questions(observation, items)
        return as_ranking(observation, self.policy.most_popular(observation, min(k, items)), items, k)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses."""
        return iter(())

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers."""
        return {}
