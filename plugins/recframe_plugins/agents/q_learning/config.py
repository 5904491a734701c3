"""Options of DQN and SlateQ. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.agent_options import ReplayConfig, WorkingSetConfig
from recframe.components import option


@dataclass
class ValueLearningConfig(WorkingSetConfig, ReplayConfig):
    """Options of agents that learn values of items from a replay memory or a log, with a target network.

    Inherited from `ReplayConfig`: batch_size, replay_capacity, learning_starts, updates_per_chunk.
    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(5e-4, "Adam's step size", gt=0, le=10)
    n_step: int = option(1, "rewards in a target before the next state's value; those of explored steps are included: a bias", ge=1)
    priority_exponent: float = option(
        0.0, "how much more often transitions with large errors are replayed (alpha); 0: uniform sampling", ge=0, le=1
    )
    importance_exponent: float = option(0.4, "how far importance weights correct for it (beta); 1: fully", ge=0, le=1)
    importance_anneal_steps: int | None = option(
        None, "user-steps over which importance_exponent rises linearly to 1; null: it is constant", ge=1
    )
    target_update_interval: int = option(100, "updates between two moves of the target network", ge=1)
    target_update_rate: float = option(1.0, "how far each move goes towards the online network (tau); 1: copy it", gt=0, le=1)
    loss: str = option("huber", "loss of the temporal-difference error", choices=["huber", "mse"])
    epsilon_start: float = option(1.0, "probability of a random choice at the start", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random choice after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which epsilon falls linearly", ge=1)

    def contradictions(self) -> Iterator[str]:
        """A schedule of importance weights without prioritized replay."""
        if self.importance_anneal_steps is not None and self.priority_exponent == 0:
            yield (
                f"agent.importance_anneal_steps is {self.importance_anneal_steps}, but with agent.priority_exponent=0 "
                "nothing is weighted: raise priority_exponent, or set importance_anneal_steps=null"
            )


@dataclass
class DeepQConfig(ValueLearningConfig):
    """Options of both deep Q-learning agents.

    Inherited from `ReplayConfig`: batch_size, replay_capacity, learning_starts, updates_per_chunk.
    Inherited from `WorkingSetConfig`: whole_catalog_items, working_items.
    """

    double: bool = option(True, "let the online network choose the action that the target network evaluates")


@dataclass
class DQNConfig(DeepQConfig):
    """Deep Q-learning with double Q targets (Mnih et al., 2015; van Hasselt et al., 2016)."""

    dueling: bool = option(
        False, "subtract the mean from the items' advantages, so that the state's value is their mean (Wang et al., 2016)"
    )


@dataclass
class SlateQConfig(DeepQConfig):
    """Q-learning of slates from the values of their items and a learned model of clicks (SlateQ; Ie et al., 2019)."""

    slate_optimizer: str = option(
        "greedy",
        "greedy: add items to the slate one at a time; top_k: take the k items of the largest value times propensity",
        choices=["greedy", "top_k"],
    )
    shortlist: int = option(100, "items of the largest value times propensity among which the greedy optimizer chooses", ge=1)
