"""Schemas, composition and validation of configs. Imports neither torch nor the implementation of a plugin."""

from recframe.config.app import App
from recframe.config.apps import APPS, PRETRAIN, TRAIN
from recframe.config.checks.validate import chosen_components, validate
from recframe.config.compose.compose import compose_config
from recframe.config.compose.mistakes import find_mistakes
from recframe.config.problems import ConfigError

__all__ = [
    "APPS",
    "PRETRAIN",
    "TRAIN",
    "App",
    "ConfigError",
    "chosen_components",
    "compose_config",
    "find_mistakes",
    "validate",
]
