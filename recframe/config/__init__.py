"""Schemas, composition and validation of configs. Imports neither torch nor the implementation of a plugin."""

from recframe.config.app import App
from recframe.config.apps import APPS, DESCRIBE, PRETRAIN, TRAIN
from recframe.config.checks.validate import chosen_components, find_start_problems, validate
from recframe.config.component_settings import config_object, config_section
from recframe.config.compose.compose import Composition, compose_config, composition
from recframe.config.compose.mistakes import find_mistakes
from recframe.config.compose.trust import code_settings
from recframe.config.problems import ConfigError
from recframe.config.recorded import logger_settings, recorded

__all__ = [
    "APPS",
    "DESCRIBE",
    "PRETRAIN",
    "TRAIN",
    "App",
    "Composition",
    "ConfigError",
    "chosen_components",
    "code_settings",
    "compose_config",
    "composition",
    "config_object",
    "config_section",
    "find_mistakes",
    "find_start_problems",
    "logger_settings",
    "recorded",
    "validate",
]
