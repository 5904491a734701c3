"""Options of the deep Q-learning agents. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import option


@dataclass
class QLearningConfig(WorkingSetConfig, ReplayConfig):
    """Options that all deep Q-learning agents have."""

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(5e-4, "Adam's step size", gt=0)
    n_step: int = option(1, "rewards a target counts before it relies on a value; those of explored steps count too, which biases it", ge=1)
    priority_exponent: float = option(0.0, "how much transitions of large errors are replayed more (alpha); 0: all alike", ge=0, le=1)
    importance_exponent: float = option(0.4, "how much that is made up for by weighting (beta); 1: fully", ge=0, le=1)
    importance_anneal_steps: int | None = option(None, "user-steps over which that rises linearly to 1; null: it stays as it is", ge=1)
    double: bool = option(True, "let the online network choose the action that the target network values")
    target_update_interval: int = option(100, "updates between two moves of the target network", ge=1)
    target_update_rate: float = option(1.0, "how far it then moves towards the online network (tau); 1: all the way", gt=0, le=1)
    loss: str = option("huber", "loss of the temporal-difference error", choices=["huber", "mse"])
    epsilon_start: float = option(1.0, "probability of a random choice at first", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random choice after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which it falls linearly", ge=1)

    def contradictions(self) -> Iterator[str]:
        """A schedule for weights that there are none of."""
        if self.importance_anneal_steps is not None and self.priority_exponent == 0:
            yield (
                f"agent.importance_anneal_steps is {self.importance_anneal_steps}, but agent.priority_exponent is 0, "
                "under which nothing is weighted: raise it, or use importance_anneal_steps=null"
            )


@dataclass
class DQNConfig(QLearningConfig):
    """Deep Q-learning with double Q targets (Mnih et al., 2015; van Hasselt et al., 2016)."""

    dueling: bool = option(False, "count items' values from their mean, which makes the state's value the mean (Wang et al., 2016)")


@dataclass
class SlateQConfig(QLearningConfig):
    """Q-learning of slates by way of their items' values and a learned model of what users click (SlateQ; Ie et al., 2019)."""

    slate_optimizer: str = option(
        "greedy", "build the slate item by item, or of the k items of the largest value times propensity", choices=["greedy", "top_k"]
    )
    shortlist: int = option(100, "items, the best by value times propensity, that the greedy optimizer chooses from", ge=1)
