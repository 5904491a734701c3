"""The items of the highest expected immediate reward, learned from random recommendations."""

from __future__ import annotations

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe.references.random import random_items_with_repeats
from recframe_plugins.agents.bandits.linear_bandit import LinearBandit
from recframe_plugins.agents.baselines.config import GreedyRewardConfig


class GreedyReward(LinearBandit):
    """Shows the items of the highest expected immediate reward. It does not plan.

    In training it shows random slates, so that the model is fitted on items that no policy has selected. A share of the slates repeats
    an item of the history: in a large catalogue random slates alone repeat nothing, and the effect of repetition could not be learned.
    """

    def __init__(self, config: GreedyRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.repeats = config.repeats

    def explore(self, observation: Observation) -> Decision:
        """Random slates, some of them with a random item of the history in a random position."""
        return Decision(random_items_with_repeats(observation, self.spec.num_items, self.spec.slate_size, self.repeats, self.generator))
