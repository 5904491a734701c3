"""Hydra's sources of YAML configs, which read text as it is written and let no file name code to be run."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.core_plugins.importlib_resources_config_source import ImportlibResourcesConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from recframe.components import Kind
from recframe.config.compose.trust import trust_problems
from recframe.config.written import read_yaml
from recframe.files import file_state
from recframe.plugin_loader import registry

log = logging.getLogger(__name__)

OWN_PACKAGES = ("recframe.conf", "hydra.conf")
LEAVES = re.compile(r"^[/\\]|:|(?:^|[/\\])\.\.(?:[/\\]|$)")
"""What the name of a config has that is not a file of the folder in which it is looked for."""


class _Mode:
    """Whether the users' files are read without their settings, which `without_settings` sets, and the files that `noted_files` notes."""

    bare = False
    noted: ClassVar[set[FileState] | None] = None


@contextmanager
def without_settings() -> Iterator[None]:
    """Read only the defaults lists of users' and plugins' files, to compose the config that these files change."""
    _Mode.bare = True
    try:
        yield
    finally:
        _Mode.bare = False


def reads_settings() -> bool:
    """Whether files are read whole, and not as in `without_settings`."""
    return not _Mode.bare


def package_of(header: Mapping[str, str | None], config: str) -> str:
    """The key under which a config's values are merged, by its header or its group."""
    group = config.rpartition("/")[0].replace("/", ".")
    package = header.get("package") or "_group_"
    return "" if package == "_global_" else package.replace("_group_", group).replace("_name_", config.rpartition("/")[2])


def is_own(package: str, config: str) -> bool:
    """Whether a config that was found in a package is one of recframe's or Hydra's own: a name may lead to any file of the system."""
    return package in OWN_PACKAGES and LEAVES.search(config) is None


class WrittenFiles(FileConfigSource):
    """A folder of the user's."""

    def load_config(self, config_path: str) -> ConfigResult:
        """The config in a file of the folder."""
        return _result(self, Path(self.path) / self._normalize_file_name(config_path), config_path)


class WrittenResources(ImportlibResourcesConfigSource):
    """A folder in an installed package: recframe's own, or that of a plugin."""

    def load_config(self, config_path: str) -> ConfigResult:
        """The config in a file of the package."""
        return _result(self, resources.files(self.path).joinpath(self._normalize_file_name(config_path)), config_path)


# the process of a sweep's job registers Hydra's own classes again, and Hydra accepts a scheme that is taken under the same class name
WrittenFiles.__name__ = FileConfigSource.__name__
WrittenResources.__name__ = ImportlibResourcesConfigSource.__name__


@contextmanager
def written_sources() -> Iterator[None]:
    """Let Hydra read YAML by these classes in the block. Other Hydra programs of the process keep Hydra's own."""
    Plugins.instance()  # registers Hydra's own
    types = SourcesRegistry.instance().types
    before = dict(types)
    types["file"], types["pkg"] = WrittenFiles, WrittenResources
    try:
        yield
    finally:
        types.update(before)


class FileState(NamedTuple):
    """A file, and what changes if it does; None if it lies in an archive, which stays as it is."""

    path: str
    state: tuple[int, ...] | None

    @classmethod
    def of(cls, path: str) -> FileState:
        """The state of a file now."""
        try:
            return cls(path, file_state(Path(path)))
        except OSError:
            return cls(path, None)

    def is_unchanged(self) -> bool:
        """Whether the file still is in this state."""
        return FileState.of(self.path) == self


@contextmanager
def noted_files() -> Iterator[set[FileState]]:
    """The files that are read in the block."""
    files, before = set[FileState](), _Mode.noted
    _Mode.noted = files
    try:
        yield files
    finally:
        _Mode.noted = before
        note(files)


def note(files: set[FileState]) -> None:
    """Let `noted_files` know of files whose content is used, and was read before."""
    if _Mode.noted is not None:
        _Mode.noted |= files


def _result(source: ConfigSource, file: Any, config: str) -> ConfigResult:
    if _Mode.noted is not None:
        _Mode.noted.add(FileState.of(str(file)))
    text = file.read_text(encoding="utf-8")
    name = config.removesuffix(".yaml")
    header = ConfigSource._get_header_dict(text[:512])
    package = package_of(header, name)
    own = is_own(source.path, name)
    content = (_own_content if own else read_yaml)(text, str(file), package)
    if not own:
        _note_replaced(name, str(file))
        if problems := trust_problems(content, str(file), name, package):
            raise problems
        if _Mode.bare and isinstance(content, Mapping):
            content = {key: content[key] for key in ("defaults",) if key in content}
    config_node = OmegaConf.create({} if content is None else content)
    return ConfigResult(config=config_node, path=f"{source.scheme()}://{source.path}", provider=source.provider, header=header)


@cache
def _own_content(text: str, name: str, package: str) -> Any:
    """The content of one of recframe's or Hydra's own files, which is read once. Nobody changes it: OmegaConf makes nodes of it."""
    return read_yaml(text, name, package)


@cache
def _note_replaced(config: str, file: str) -> None:
    """Say once that a file takes the place of a component's own defaults, which may not be meant."""
    group, _, name = config.rpartition("/")
    if group in list(Kind) and name in registry().names(Kind(group)):
        log.warning("%s is used in place of the built-in %s=%s, because it has its name", file, group, name)
