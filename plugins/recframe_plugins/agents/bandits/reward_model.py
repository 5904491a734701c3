"""What a linear bandit needs of its model of the immediate reward."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Observation, Transition
from recframe.item_agents.search import ItemScores
from recframe_plugins.agents.bandits.reward_features import RewardFeatures


class RewardModel(RewardFeatures):
    """A linear model of the immediate reward of items, whose coefficients have a Gaussian posterior.

    `posterior` is that of all rewards so far, an object of the model's own; its `mean` holds the expected coefficients. `items` are the
    features of all items, `[M + 1, Q]`.
    """

    @abstractmethod
    def learn(self, batch: Transition) -> None:
        """Learn the rewards of all items shown in a batch `[B]`."""

    @abstractmethod
    def posterior(self) -> Any:
        """The current distribution of the coefficients."""

    @abstractmethod
    def expected(self, observation: Observation, items: Tensor, coefficients: Tensor) -> ItemScores:
        """The reward of every item that is expected under the coefficients."""

    @abstractmethod
    def bounds(self, observation: Observation, items: Tensor, posterior: Any, alpha: float) -> ItemScores:
        """The expected reward of every item plus `alpha` standard deviations."""

    @abstractmethod
    def sampled(self, observation: Observation, items: Tensor, posterior: Any, scale: float, generator: torch.Generator) -> ItemScores:
        """The expected reward of every item under coefficients that are drawn for each user, with `scale` times the deviation."""

    @abstractmethod
    def after(self, posterior: Any, observation: Observation, chosen: Tensor, items: Tensor) -> Any:
        """The posterior with the uncertainty that is left after the rewards of `chosen` `[N, K]` are learned, whatever they are."""
