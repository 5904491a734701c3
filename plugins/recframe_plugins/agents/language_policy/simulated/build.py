"""The rule of the simulated stage, by its name."""

from __future__ import annotations

from recframe.interfaces import EnvironmentSpec, StateTracker
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.rules import LearningRule
from recframe_plugins.agents.language_policy.simulated.grpo import SimulatedGRPO
from recframe_plugins.agents.language_policy.simulated.ppo import SimulatedPPO
from recframe_plugins.agents.language_policy.simulated.reinforce import SimulatedReinforce


def simulated_rule(config: LanguagePolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker | None) -> LearningRule:
    """The rule `config.learning`, or PPO.

    Raises
    ------
    ValueError: the rule cannot learn with this state tracker, or in this environment.
    """
    match config.learning:
        case "reinforce":
            return SimulatedReinforce(config, state_tracker)
        case "grpo":
            return SimulatedGRPO(config, spec, state_tracker)
        case _:
            return SimulatedPPO(config, state_tracker)
