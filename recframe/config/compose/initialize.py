"""Hydra outside a running app: initialized as the apps do it, with the choices of each config group listed once."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra import initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from hydra.version import VersionBase

from recframe.config.compose.search_path import RecframeSearchPath, install_search_path
from recframe.config.compose.shared_composition import once
from recframe.config.compose.sources import FileState, note, noted_files, reads_settings, written_sources
from recframe.config.schema.store import stored_schemas

CONFIG_MODULE = "recframe.conf"
NOT_CHOSEN = ("hydra", "bench")
"""Folders of configs that are no groups of a run: Hydra's own, and the tasks of `recframe bench`."""


class ConfigGroups:
    """The config groups on Hydra's search path.

    Hydra's own `ConfigLoader.get_group_options` copies every stored schema in each call, so this asks the repository behind it.
    """

    def __init__(self, repository: IConfigRepository) -> None:
        self._repository = repository
        self._choices: dict[str, list[str]] = {}

    def names(self) -> list[str]:
        """The groups of the apps, without Hydra's own."""
        groups = self._repository.get_group_options("", ObjectType.GROUP)
        return [group for group in groups if group not in NOT_CHOSEN and self.choices(group)]

    def has(self, group: str, name: str) -> bool:
        """Whether a group has a choice, which may lie in a folder of the group, as "sub/deep"."""
        return name in self.choices(group) or self._repository.config_exists(f"{group}/{name}")

    def choices(self, group: str) -> list[str]:
        """The choices of a group in alphabetical order; none if there is no such group."""
        if group in NOT_CHOSEN:
            return []
        if group not in self._choices:
            self._choices[group] = sorted(self._repository.get_group_options(group, ObjectType.CONFIG))
        return self._choices[group]


class KeptRepository(ConfigRepository):
    """A repository that reads each config twice at most. It is for one block of `initialized`, in which no file is expected to change.

    Hydra copies its repository for each composition, and reads all files again. It changes what it gets, and most blocks compose once: what
    is read first is given away, and what is read a second time is kept and copied.
    """

    def __init__(self, repository: ConfigRepository) -> None:
        self.sources = repository.sources
        self.given: set[tuple[str, bool]] = set()
        self.kept: dict[tuple[str, bool], ConfigResult | None] = {}
        self.files: dict[tuple[str, bool], set[FileState]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptRepository:
        copied = KeptRepository(self)
        copied.given, copied.kept, copied.files = self.given, self.kept, self.files
        return copied

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Read from other places from now on."""
        super().initialize_sources(config_search_path)
        self.given, self.kept, self.files = set(), {}, {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A config, or None if there is none of this name."""
        place = config_path, reads_settings()
        if place not in self.given:
            self.given.add(place)
            return super().load_config(config_path)
        if place not in self.kept:
            with noted_files() as self.files[place]:
                self.kept[place] = super().load_config(config_path)
        else:
            note(self.files[place])
        return copy.deepcopy(self.kept[place])


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
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            loader = hydra.config_loader = once(hydra.config_loader)
            assert isinstance(loader, ConfigLoaderImpl)
            assert isinstance(loader.repository, ConfigRepository)
            loader.repository = KeptRepository(loader.repository)
            yield ConfigGroups(loader.repository)
    finally:
        RecframeSearchPath.config_dir = None
