"""Schemas, composition and validation of configs. Imports neither torch nor the implementation of a plugin."""

from recframe.config.app import App
from recframe.config.apps import APPS, DESCRIBE, PRETRAIN, TRAIN
from recframe.config.checks.validate import chosen_components, validate
from recframe.config.compose.compose import compose_config
from recframe.config.compose.mistakes import find_mistakes
from recframe.config.compose.trust import code_settings
from recframe.config.problems import ConfigError
from recframe.config.recorded import recorded

__all__ = [
    "APPS",
    "DESCRIBE",
    "PRETRAIN",
    "TRAIN",
    "App",
    "ConfigError",
    "chosen_components",
    "code_settings",
    "compose_config",
    "find_mistakes",
    "recorded",
    "validate",
]
