"""The rating reward: how users rate the shown items."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import RatingConfig


class Rating(Reward):
    """(rating - centre) / scale of every shown item, clicked or not.

    The map is linear, so the reward of an expected rating is the expected reward, and ranking items by the truth is exact. It would not be
    if a rating counted only with a click. With the centre at 0 every slate earns a positive reward, so long sessions pay regardless of the
    items; with the centre at a medium rating, bad items are negative.
    """

    def __init__(self, config: RatingConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The rescaled ratings `[N, K]`."""
        ratings: Tensor = transition.response.signals["rating"]
        return (ratings - self.config.centre) / self.config.scale
