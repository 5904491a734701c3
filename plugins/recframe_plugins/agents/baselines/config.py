"""Options of the baseline agents. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.agents.bandits.config import LinearRewardConfig


@dataclass
class RandomConfig:
    """Uniformly random items; learns nothing."""


@dataclass
class PopularConfig:
    """The most popular items that were not shown lately; learns nothing."""


@dataclass
class GreedyRewardConfig(LinearRewardConfig):
    """The items of the highest immediate reward, by a linear model fitted on random recommendations."""

    repeats: float = option(0.25, "share of the slates shown in training that repeat an item shown lately, where one may be", ge=0, le=1)


@dataclass
class FixedSlateConfig:
    """The same items for everybody: a given list, or those of the best mean reward in training."""

    item_ids: list[str] = option([], "the ids of the items, best first; empty: learned from random recommendations")
    length: int = option(32, "items on a learned list, which is shown turn after turn, and then again; no more than there are", ge=1)
    shrinkage: float = option(5.0, "rewards at the overall mean that every item is credited with before its own", gt=0)
