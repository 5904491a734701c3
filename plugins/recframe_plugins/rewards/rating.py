"""The rating reward: what users thought of the items, not only whether they took them."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import RatingConfig


class Rating(Reward):
    """(rating - centre) / scale of every item shown, clicked or not.

    The map is linear, so the reward of an expected rating is the expected reward: ranking items by the truth stays exact, which it
    would not if a rating counted only with a click. With the centre at 0 every slate earns something, so that long
    sessions pay whatever is shown; with the centre at a middling rating, what disappoints costs.
    """

    def __init__(self, config: RatingConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The rescaled ratings `[N, K]`."""
        ratings: Tensor = transition.response.signals["rating"]
        return (ratings - self.config.centre) / self.config.scale
