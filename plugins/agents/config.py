"""Options and registration of the built-in agents; light, so that composing a config imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl
from recframe_plugins.agents import (
    bandit_config,
    ddpg_config,
    on_policy_config,
    q_learning_config,
    reference_config,
    soft_actor_critic_config,
    tabular_config,
)
from recframe_plugins.agents.q_learning_config import QLearningConfig


@dataclass
class RandomConfig:
    """Uniformly random items; learns nothing."""


@dataclass
class DQNConfig(QLearningConfig):
    """Deep Q-learning with double Q targets (Mnih et al., 2015; van Hasselt et al., 2016)."""

    dueling: bool = option(False, "count items' values from their mean, which makes the state's value the mean (Wang et al., 2016)")


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
    families = (q_learning_config, on_policy_config, ddpg_config, soft_actor_critic_config, bandit_config, tabular_config, reference_config)
    for family in families:
        for component in family.components():
            register(component)
