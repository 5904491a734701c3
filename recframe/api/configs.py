"""Configs of runs: composed from overrides, and what a record of the run says of them."""

from __future__ import annotations

import json
import reprlib
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.config import Composition, ConfigError, composition
from recframe.tracking.logged_values import flat_settings

HYDRA_SETTINGS = ("hydra.run.dir", "hydra.searchpath")
"""Hydra's own settings that mean something outside the command line."""


class _Remembered(NamedTuple):
    composed: Composition
    values: Mapping[str, Any]
    """As they were composed; the caller may change the config."""


_remembered: dict[int, _Remembered] = {}


def compose(overrides: Sequence[str] = (), *, config_dir: str | None = None) -> DictConfig:
    """The config of `recframe train OVERRIDES`, for `recframe.run`.

    `recframe.compose(["agent=dqn", "agent.gamma=0.9"])`

    Its values can be changed (`cfg.agent.gamma = 0.8`); `recframe.run` checks them again.

    Parameters
    ----------
    overrides: as on the command line, one text each.   config_dir: a folder of configs of your own, as `--config-dir`.

    Raises
    ------
    recframe.config.ConfigError: with every mistake in the overrides, one line each.
    """
    _check(overrides)
    composed = composition(list(overrides), config_dir)
    values: Any = OmegaConf.to_container(composed.cfg, resolve=False)
    key = id(composed.cfg)
    # what is remembered of a config must not keep it alive
    _remembered[key] = _Remembered(composed._replace(cfg=OmegaConf.create()), values)
    weakref.finalize(composed.cfg, _remembered.pop, key, None)
    return composed.cfg


def overrides_of(cfg: DictConfig) -> list[str]:
    """The overrides that `compose` was given, and one for each value that was changed since; none of another config."""
    if id(cfg) not in _remembered:
        return []
    composed, before = _remembered[id(cfg)]
    after: Any = OmegaConf.to_container(cfg, resolve=False)
    then, now = dict(flat_settings(before)), dict(flat_settings(after))
    return [*composed.overrides, *(f"{key}={_written(value)}" for key, value in now.items() if key not in then or then[key] != value)]


def choices_of(cfg: DictConfig) -> Mapping[str, Any] | None:
    """The file that was chosen for each config group, where that is known."""
    return _remembered[id(cfg)].composed.choices if id(cfg) in _remembered else None


def new_folder(cfg: DictConfig) -> Path:
    """The folder that the command line would make for a run now: hydra.run.dir.

    Raises
    ------
    ConfigError: it refers to something that the config does not have.
    """
    if id(cfg) not in _remembered:
        return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    values: Any = OmegaConf.to_container(cfg, resolve=False)
    with_hydra = OmegaConf.create({**values, "hydra": {"run": {"dir": _remembered[id(cfg)].composed.run_dir}}})
    try:
        return Path(with_hydra.hydra.run.dir)
    except OmegaConfBaseException as error:
        raise ConfigError([f"hydra.run.dir: {str(error).splitlines()[0]}"]) from None


def _check(overrides: Any) -> None:
    """Refuse what is no list of overrides, and settings of Hydra's that have no effect here."""
    if not isinstance(overrides, Sequence) or isinstance(overrides, str) or not all(isinstance(text, str) for text in overrides):
        raise ConfigError([f"overrides are a list of texts, such as ['agent=dqn', 'seed=1'], not {reprlib.repr(overrides)}"])
    hydra = [text for text in overrides if text.lstrip("+~").startswith(("hydra.", "hydra/"))]
    if refused := [text for text in hydra if text.partition("=")[0] not in HYDRA_SETTINGS]:
        allowed = " and ".join(HYDRA_SETTINGS)
        raise ConfigError([f"{text}: it is for the command line; from Python, only {allowed} can be set" for text in refused])


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
