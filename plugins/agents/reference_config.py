"""Options of the reference policies as agents; light, so that composing a config imports no torch."""

from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe_plugins.agents.bandit_config import LinearRewardConfig


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


def components() -> list[Component]:
    """What this module offers for registration."""
    agents = {
        "popular": (PopularConfig, "Popular", set()),
        "greedy_reward": (GreedyRewardConfig, "GreedyReward", {"experience:rollout"}),
        "fixed_slate": (FixedSlateConfig, "FixedSlate", {"experience:rollout"}),
    }
    return [
        Component(
            Kind.AGENT,
            name,
            config,
            f"recframe_plugins.agents.reference_agents:{factory}",
            provides={"slates"},
            requires={"actions:items"} | experience,
        )
        for name, (config, factory, experience) in agents.items()
    ]
