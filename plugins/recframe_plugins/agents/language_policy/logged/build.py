"""The rule of the logged stage, by its name."""

from __future__ import annotations

from recframe.interfaces import EnvironmentSpec
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.logged.cross_entropy import CrossEntropy
from recframe_plugins.agents.language_policy.logged.group_relative import LoggedGRPO
from recframe_plugins.agents.language_policy.logged.preferences import PreferenceLearning
from recframe_plugins.agents.language_policy.rules import LearningRule


def logged_rule(config: LanguagePolicyConfig, spec: EnvironmentSpec) -> LearningRule:
    """The rule `config.logged_learning`, or cross-entropy."""
    match config.logged_learning:
        case "dpo":
            return PreferenceLearning(config, negatives=1)
        case "s_dpo":
            return PreferenceLearning(config, negatives=config.negatives)
        case "grpo":
            return LoggedGRPO(config)
        case _:
            return CrossEntropy(config, spec)
