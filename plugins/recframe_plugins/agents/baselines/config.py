"""Options of the baseline agents. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.agents.bandits.config import LinearRewardConfig


@dataclass
class RandomConfig:
    """Uniformly random items; learns nothing."""


@dataclass
class PopularConfig:
    """The most popular items that were not shown recently; learns nothing."""

    repeats: bool = option(False, "show items of the history like others; if not, they come after all others")


@dataclass
class GreedyRewardConfig(LinearRewardConfig):
    """The items of the highest immediate reward, by a linear model fitted on random recommendations."""

    repeats: float = option(0.25, "share of training slates that repeat an item of the history, where one may be shown", ge=0, le=1)


@dataclass
class PosteriorGreedyConfig:
    """The items of the highest immediate reward given the session's responses, by a Gaussian model of what training people say."""

    responses: int = option(200_000, "number of last responses in training that the model is fitted on", ge=1)
    repeats: float = option(0.1, "share of training slates that repeat an item of the history, where one may be shown", ge=0, le=1)


@dataclass
class FixedSlateConfig:
    """The same items for every user: a given list, or the items of the highest mean reward in training."""

    item_ids: list[str] = option([], "ids of the items, best first; empty: learned from random recommendations")
    length: int = option(32, "number of items on a learned list, which is shown from the start again at its end", ge=1)
    shrinkage: float = option(5.0, "number of rewards at the overall mean that each item starts with", gt=0)


@dataclass
class ContentCosineConfig:
    """Items whose texts are similar to those of the history, the recent ones counting more; learns nothing."""

    weights: str = option(
        "click", "value of an item of the history that was clicked: 1 (click), or that of a signal above 0, such as rating"
    )
    decay: float = option(
        0.7, "factor of an item's weight for each item that came after it in the history; 1: all count the same", gt=0, le=1
    )
    repeats: bool = option(
        False, "score items of the history like others, where they may be shown at all; if not, they come after all others"
    )
