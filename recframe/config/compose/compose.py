"""Composition of a config from Python, as the command line composes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hydra import compose
from omegaconf import DictConfig, OmegaConf, open_dict

from recframe.config.app import App
from recframe.config.apps import TRAIN
from recframe.config.compose.initialize import initialized
from recframe.config.compose.mistakes import find_mistakes
from recframe.config.compose.overrides import sweep_problems, without_nulls
from recframe.config.compose.shared_composition import composed_once
from recframe.config.compose.typed_text import text_as_typed
from recframe.config.problems import ConfigError

ONE_VALUE = "a run takes one; to run once with each, use a loop"


class Composition(NamedTuple):
    """A composed config, and what the command line would know of it.

    overrides: those of the config, without Hydra's own.   choices: the file that was chosen for each config group.
    run_dir: the setting hydra.run.dir, with its interpolations.
    """

    cfg: DictConfig
    overrides: list[str]
    choices: Mapping[str, Any]
    run_dir: str


def compose_config(overrides: Sequence[str] = (), config_dir: str | None = None, app: App = TRAIN) -> DictConfig:
    """The config of `recframe train OVERRIDES`; with `app=PRETRAIN`, that of `recframe pretrain OVERRIDES`.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    return composition(overrides, config_dir, app).cfg


def composition(overrides: Sequence[str] = (), config_dir: str | None = None, app: App = TRAIN) -> Composition:
    """The config of `compose_config`, and what it was composed from.

    Raises
    ------
    ConfigError: with every mistake in the overrides, one line each.
    """
    overrides = text_as_typed(without_nulls(overrides), app)
    with composed_once():
        problems = sweep_problems(overrides, app, ONE_VALUE) or find_mistakes(overrides, config_dir, app=app)
        if problems:
            raise ConfigError(problems)
        with initialized(config_dir):
            cfg = compose(app.config_name, overrides=list(overrides), return_hydra_config=True)
    own: Any = OmegaConf.to_container(cfg.hydra, resolve=False)
    with open_dict(cfg):
        del cfg["hydra"]
    return Composition(cfg, list(own["overrides"]["task"]), dict(own["runtime"]["choices"]), own["run"]["dir"])
