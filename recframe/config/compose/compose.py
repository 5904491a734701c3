"""Composition of a config from Python, as the command line composes it."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import compose
from omegaconf import DictConfig

from recframe.config.app import App
from recframe.config.apps import TRAIN
from recframe.config.compose.initialize import initialized
from recframe.config.compose.mistakes import find_mistakes
from recframe.config.compose.overrides import sweep_problems, without_nulls
from recframe.config.compose.typed_text import text_as_typed
from recframe.config.problems import ConfigError


def compose_config(overrides: Sequence[str] = (), config_dir: str | None = None, app: App = TRAIN) -> DictConfig:
    """The config of `recframe train OVERRIDES`; with `app=PRETRAIN`, that of `recframe pretrain OVERRIDES`.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    overrides = text_as_typed(without_nulls(overrides), app)
    problems = sweep_problems(overrides, app) or find_mistakes(overrides, config_dir, app=app)
    if problems:
        raise ConfigError(problems)
    with initialized(config_dir):
        return compose(app.config_name, overrides=list(overrides))
