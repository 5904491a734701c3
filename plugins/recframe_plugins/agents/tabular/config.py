"""Options of the tabular agents. Imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import ReplayConfig
from recframe.components import option


@dataclass
class TabularConfig:
    """Options of both tabular agents."""

    state: str = option(
        "last_item",
        "what defines a state: the last item and its feedback, the largest feature (a one-hot number), or features in bins",
        choices=["last_item", "one_hot", "bins"],
    )
    thresholds: list[float] = option([0.5], "last_item: ascending levels between which values of each feedback signal count as equal")
    bins: list[int] = option([10], "bins: number of bins of each feature, or one number for all", ge=1)
    low: list[float] = option([-1.0], "bins: lower end of the first bin, for each feature or for all; it includes lower values")
    high: list[float] = option([1.0], "bins: upper end of the last bin, for each feature or for all; it includes higher values")
    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(0.1, "share of the distance to its target by which an update moves a value (alpha)", gt=0, le=1)
    learning_rate_decay: float = option(
        0.0, "a value's learning rate is divided by its number of updates to this power; 0: constant, above 0.5: it converges", ge=0, le=1
    )
    initial_value: float = option(0.0, "initial value of all items in all states; a high one makes the agent try every item")
    epsilon_start: float = option(1.0, "initial probability of a random item", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random item after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which epsilon falls linearly", ge=1)


@dataclass
class TabularQLearningConfig(ReplayConfig, TabularConfig):
    """A table of values of the greedy policy, learned off-policy: Q-learning (Watkins & Dayan, 1992)."""


@dataclass
class TabularSarsaConfig(TabularConfig):
    """A table of values of the exploring policy, learned on-policy: SARSA (Rummery & Niranjan, 1994)."""
