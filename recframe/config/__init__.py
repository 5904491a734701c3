"""Schemas, composition and validation of configs. Imports neither torch nor the implementation of a plugin, and Hydra only when a config is
composed: its names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recframe.config.recorded import logger_settings, recorded
from recframe.lazy_imports import lazy_names

if TYPE_CHECKING:
    from recframe.config.app import App
    from recframe.config.apps import APPS, DESCRIBE, PRETRAIN, TRAIN
    from recframe.config.checks.validate import chosen_components, find_start_problems, validate
    from recframe.config.component_settings import config_object, config_section
    from recframe.config.compose.compose import Composition, compose_config, composition
    from recframe.config.compose.mistakes import find_mistakes
    from recframe.config.consent import Consent
    from recframe.config.problems import ConfigError
    from recframe.config.runs_code import code_settings

__all__ = [
    "APPS",
    "DESCRIBE",
    "PRETRAIN",
    "TRAIN",
    "App",
    "Composition",
    "ConfigError",
    "Consent",
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

_HOMES = {
    "APPS": "recframe.config.apps",
    "App": "recframe.config.app",
    "Composition": "recframe.config.compose.compose",
    "ConfigError": "recframe.config.problems",
    "Consent": "recframe.config.consent",
    "DESCRIBE": "recframe.config.apps",
    "PRETRAIN": "recframe.config.apps",
    "TRAIN": "recframe.config.apps",
    "chosen_components": "recframe.config.checks.validate",
    "code_settings": "recframe.config.runs_code",
    "compose_config": "recframe.config.compose.compose",
    "composition": "recframe.config.compose.compose",
    "config_object": "recframe.config.component_settings",
    "config_section": "recframe.config.component_settings",
    "find_mistakes": "recframe.config.compose.mistakes",
    "find_start_problems": "recframe.config.checks.validate",
    "validate": "recframe.config.checks.validate",
}
"""The modules of the lazy names."""

__getattr__ = lazy_names(__name__, _HOMES)
