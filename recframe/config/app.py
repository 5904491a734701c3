"""The two Hydra apps: what `recframe train` and `recframe pretrain` compose, and how their configs are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from omegaconf import DictConfig

from recframe.config.checks.pretraining import find_pretraining_problems
from recframe.config.checks.run import find_problems
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig
from recframe.plugin_loader import Registry


@dataclass(frozen=True)
class App:
    """A Hydra app: the command that it is, its primary config, the schema of that, and what is wrong with a composed one."""

    command: str
    config_name: str
    schema: type
    find_problems: Callable[[DictConfig, Registry], list[str]]


TRAIN = App("train", "config", RunConfig, find_problems)
PRETRAIN = App("pretrain", "pretrain", PretrainingConfig, find_pretraining_problems)
APPS: Mapping[str, App] = {app.command: app for app in (TRAIN, PRETRAIN)}
