"""Options of the linear bandits. Imports no torch."""

from dataclasses import dataclass

from recframe.components import option


@dataclass
class LinearRewardConfig:
    """Options of the linear model of the immediate reward, which the bandits and greedy_reward learn."""

    text_dims: int = option(16, "number of principal components of the items' texts that the model reads", ge=1)
    model: str = option(
        "shared",
        "coefficients that all items share (features identify the item), of each item's own, or both (Li et al., 2010, Algorithms 1 and 2)",
        choices=["shared", "disjoint", "hybrid"],
    )
    response_dims: int = option(
        0,
        "number of features of a user, for each signal, that say how the user responded to which item; from the number of items on, each "
        "item has one of its own, below that items share them at random; 0: none",
        ge=0,
    )
    ridge: float = option(0.1, "precision of the prior on the coefficients, whose mean is 0 (lambda)", gt=0)


@dataclass
class EpsilonGreedyConfig(LinearRewardConfig):
    """A linear bandit that shows random items with a probability that falls over time (Sutton & Barto, 2018)."""

    epsilon_start: float = option(1.0, "initial probability of a random slate", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random slate after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which epsilon falls linearly", ge=1)


@dataclass
class LinUCBConfig(LinearRewardConfig):
    """A linear bandit that shows the items of the highest upper confidence bounds (LinUCB; Li et al., 2010)."""

    alpha: float = option(0.5, "number of standard deviations by which the bound exceeds the expected reward", ge=0)


@dataclass
class ThompsonConfig(LinearRewardConfig):
    """A linear bandit that shows an item as often as it is likely to be the best one (Thompson sampling; Agrawal & Goyal, 2013)."""

    scale: float = option(0.3, "factor on the standard deviation of the posterior that coefficients are drawn from (v)", gt=0)
