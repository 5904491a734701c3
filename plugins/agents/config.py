"""Options and registration of the built-in agents; light, so that composing a config imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl


@dataclass
class RandomConfig:
    """Uniformly random items; learns nothing."""


@dataclass
class DQNConfig:
    """Deep Q-learning with double Q targets (Mnih et al., 2015; van Hasselt et al., 2016)."""

    gamma: float = option(0.97, "discount of the next step's value", ge=0, le=1)
    learning_rate: float = option(5e-4, "Adam's step size", gt=0)
    batch_size: int = option(256, "transitions in an update", ge=1)
    replay_capacity: int = option(50_000, "transitions that the replay memory holds", ge=1)
    learning_starts: int = option(1_000, "transitions collected before the first update", ge=1)
    updates_per_chunk: int = option(16, "updates after each collected chunk", ge=1)
    double: bool = option(True, "let the online network choose the action that the target network values")
    target_update_interval: int = option(100, "updates between two moves of the target network", ge=1)
    target_update_rate: float = option(1.0, "how far it then moves towards the online network (tau); 1: all the way", gt=0, le=1)
    loss: str = option("huber", "loss of the temporal-difference error", choices=["huber", "mse"])
    epsilon_start: float = option(1.0, "probability of a random item at first", ge=0, le=1)
    epsilon_end: float = option(0.05, "probability of a random item after the decay", ge=0, le=1)
    epsilon_decay_steps: int = option(40_000, "user-steps over which it falls linearly", ge=1)


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the agents."""
    register(
        Component(
            Kind.AGENT,
            "random",
            RandomConfig,
            "recframe_plugins.agents.random:RandomAgent",
            provides={"slates"},
            requires={"actions:items|actions:continuous"},
        )
    )
    register(
        Component(
            Kind.AGENT,
            "dqn",
            DQNConfig,
            "recframe_plugins.agents.dqn:DQN",
            requires={"actions:items", "experience:replay"},
        )
    )
