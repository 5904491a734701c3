"""Hydra outside a running app: initialized as the apps do it, with the choices of each config group listed once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hydra import initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.version import VersionBase

from recframe.config.compose.search_path import RecframeSearchPath, install_search_path
from recframe.config.compose.sources import written_sources
from recframe.config.schema.store import stored_schemas

CONFIG_MODULE = "recframe.conf"


class ConfigGroups:
    """The config groups on Hydra's search path.

    Hydra's own `ConfigLoader.get_group_options` copies every stored schema in each call, so this asks the repository behind it.
    """

    def __init__(self) -> None:
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        self._repository = loader.repository
        self._choices: dict[str, list[str]] = {}

    def names(self) -> list[str]:
        """The groups of the apps, without Hydra's own."""
        groups = self._repository.get_group_options("", ObjectType.GROUP)
        return [group for group in groups if group != "hydra" and self.choices(group)]

    def has(self, group: str, name: str) -> bool:
        """Whether a group has a choice, which may lie in a folder of the group, as "sub/deep"."""
        return name in self.choices(group) or self._repository.config_exists(f"{group}/{name}")

    def choices(self, group: str) -> list[str]:
        """The choices of a group in alphabetical order; none if there is no such group."""
        if group not in self._choices:
            self._choices[group] = sorted(self._repository.get_group_options(group, ObjectType.CONFIG))
        return self._choices[group]


_one_at_a_time = threading.RLock()
"""Hydra has one state in a process."""


@contextmanager
def initialized(config_dir: str | None = None) -> Iterator[ConfigGroups]:
    """Initialize Hydra for the duration of the block. `config_dir` is a folder of the user's, as `--config-dir` names it.

    A caller who has initialized Hydra finds it afterwards as it was. Other threads wait.
    """
    with _one_at_a_time, _of_caller_kept(), _initialized(config_dir) as groups:
        yield groups


@contextmanager
def _of_caller_kept() -> Iterator[None]:
    """Set the caller's Hydra aside, if there is one, and put it back after the block."""
    hydra, version = GlobalHydra.instance().hydra, VersionBase.instance().getbase()
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = hydra
        VersionBase.instance().version_base = version


@contextmanager
def _initialized(config_dir: str | None) -> Iterator[ConfigGroups]:
    install_search_path()
    RecframeSearchPath.config_dir = config_dir
    try:
        with stored_schemas(), written_sources(), initialize_config_module(config_module=CONFIG_MODULE, version_base="1.3"):
            yield ConfigGroups()
    finally:
        RecframeSearchPath.config_dir = None
