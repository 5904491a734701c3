"""The folders of YAML configs that plugins bring, and the names of the configs in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recframe.errors import UserError

PACKAGE = "pkg://"


class ConfigFolderError(UserError, ValueError):
    """A plugin names folders of configs wrongly; the message says what is right."""


@dataclass(frozen=True)
class ConfigFolder:
    """A folder of configs by its Hydra address, and the plugin that brings it."""

    address: str
    plugin: str
    distribution: str

    @cached_property
    def files(self) -> frozenset[tuple[str, str]]:
        """(group, name) of each config: ("experiment", "mine") for experiment/mine.yaml."""
        scheme, _, place = self.address.partition("://")
        root: Traversable = files(place) if scheme == "pkg" else Path(place)
        return frozenset(_configs(root, ""))


BUILT_IN = ConfigFolder("pkg://recframe.conf", "recframe", "recframe")
"""The configs of recframe itself."""


def _configs(folder: Traversable, group: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _configs(entry, f"{group}/{entry.name}" if group else entry.name)
        elif entry.name.endswith((".yaml", ".yml")):
            yield group, entry.name.rpartition(".")[0]


def config_addresses(paths: Any) -> list[str]:
    """Hydra addresses of the config folders that a plugin's hook returned.

    Raises
    ------
    ConfigFolderError: it did not return a list of folders, or there is no such folder or package.
    """
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, (str, Path)) for path in paths):
        raise ConfigFolderError(f"recframe_config_paths returns a list of folders, not {paths!r}")
    for path in map(str, paths):
        if problem := address_problem(path):
            raise ConfigFolderError(f"recframe_config_paths names {problem}")
    return [str(path) if "://" in str(path) else f"file://{Path(path).resolve()}" for path in paths]


def address_problem(path: str) -> str:
    """Why there are no configs at a folder or Hydra address, after the verb "names"; or ''."""
    if path.startswith(PACKAGE):
        return "" if _is_package(path.removeprefix(PACKAGE)) else f"{path!r}, and no such package was found"
    if "://" in path:
        place = path.removeprefix("file://")
        return "" if place != path and Path(place).is_dir() else f"{path!r}; a folder or pkg://package.module is right"
    return "" if Path(path).is_dir() else f"{path!r}, which is not a folder"


def _is_package(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.submodule_search_locations is not None
