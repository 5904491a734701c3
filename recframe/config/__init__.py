"""Schemas, composition and validation of a run's config. Imports neither torch nor any plugin's implementation."""

from recframe.config.app import APPS, PRETRAIN, TRAIN, App
from recframe.config.checks.pretraining import validate_pretraining
from recframe.config.checks.run import validate
from recframe.config.compose.compose import compose_config, explain, find_mistakes, without_nulls
from recframe.config.problems import ConfigError

__all__ = [
    "APPS",
    "PRETRAIN",
    "TRAIN",
    "App",
    "ConfigError",
    "compose_config",
    "explain",
    "find_mistakes",
    "validate",
    "validate_pretraining",
    "without_nulls",
]
