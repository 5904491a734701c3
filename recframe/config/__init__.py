"""Schemas, composition and validation of a run's config. Imports neither torch nor any plugin's implementation."""

from recframe.config.app import APPS, PRETRAIN, TRAIN, App
from recframe.config.build import build, own_data
from recframe.config.compose import compose_config, explain, find_mistakes, without_nulls
from recframe.config.pretraining import validate_pretraining
from recframe.config.problems import ConfigError
from recframe.config.validate import validate

__all__ = [
    "APPS",
    "PRETRAIN",
    "TRAIN",
    "App",
    "ConfigError",
    "build",
    "compose_config",
    "explain",
    "find_mistakes",
    "own_data",
    "validate",
    "validate_pretraining",
    "without_nulls",
]
