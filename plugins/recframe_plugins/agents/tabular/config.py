"""Options of the tabular agents; light, so that composing a config imports no torch."""

from dataclasses import dataclass

from recframe.agent_options import ReplayConfig
from recframe.components import option


@dataclass
class TabularConfig:
    """Options that both tabular agents have."""

    state: str = option(
        "last_item",
        "what tells states apart: the last item and its feedback, which feature is the largest (a one-hot number), or features in bins",
        choices=["last_item", "one_hot", "bins"],
    )
    thresholds: list[float] = option([0.5], "last_item: the levels that each signal of its feedback is told apart by")
    bins: list[int] = option([10], "bins: how many of each feature, or one number for all", ge=1)
    low: list[float] = option([-1.0], "bins: where the first bin begins, for each feature or for all; what lies below is in it too")
    high: list[float] = option([1.0], "bins: where the last bin ends, for each feature or for all; what lies above is in it too")
    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(0.1, "how far a value moves towards its target (alpha)", gt=0, le=1)
    learning_rate_decay: float = option(
        0.0, "power of the number of its updates that a value's rate is divided by; above 0.5 it converges, 0: constant", ge=0, le=1
    )
    initial_value: float = option(0.0, "value of everything at first; a high one makes an agent try everything")
    epsilon_start: float = option(1.0, "probability of a random item at first", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random item after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which it falls linearly", ge=1)


@dataclass
class TabularQLearningConfig(ReplayConfig, TabularConfig):
    """A table of values, learned whatever is shown: Q-learning (Watkins & Dayan, 1992)."""


@dataclass
class TabularSarsaConfig(TabularConfig):
    """A table of values of the exploring policy itself: SARSA (Rummery & Niranjan, 1994)."""
