"""Checks of the settings in the users' and plugins' YAML files of a config that Hydra cannot compose, each with file, line and key.

Hydra names neither. So the config is composed a second time with the defaults lists of these files only, and each setting is tried on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.config.app import App
from recframe.config.compose.error_line import error_line
from recframe.config.compose.overrides import LIST_GROUPS, unknown_key
from recframe.config.compose.sources import without_settings
from recframe.config.compose.yaml_files import user_file
from recframe.config.written import MERGE_TAG, read_tree
from recframe.plugin_loader import offered_before, registry

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, RecursionError)


class _Setting(NamedTuple):
    """A value in a file: its dotted key, and the number of its line."""

    key: str
    line: int
    value: Any


def setting_problems(config_name: str, overrides: Sequence[str], app: App) -> list[str]:
    """One line for each setting in the files behind a config that it cannot take. None if its defaults lists cannot be followed."""
    try:
        with without_settings():
            base = compose(config_name, overrides=list(overrides))
            files = list(_files(config_name, overrides))
    except COMPOSITION_ERRORS:
        return []
    OmegaConf.set_struct(base, None)  # as while Hydra merges files: only schemas refuse keys
    return list(dict.fromkeys(problem for path, package in files for problem in _wrong_settings(path, package, base, app)))


class FileSetting(NamedTuple):
    """A value that a user's or plugin's file sets: the file, the dotted key, the number of its line, and the value."""

    path: Path
    key: str
    line: int
    value: Any

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.path}, line {self.line}"


def settings_of_files(config_name: str, overrides: Sequence[str]) -> list[FileSetting]:
    """What the users' and plugins' files behind a config set, in the order in which they are merged; Hydra's own sections, too."""
    files = _files(config_name, overrides)
    return [FileSetting(path, *setting) for path, package in files for setting in _settings_in(path, package, hydras=True)]


def with_places(problems: Sequence[str], cfg: DictConfig, settings: Sequence[FileSetting]) -> list[str]:
    """The problems of a composed config, each with file and line if one of the users' or plugins' files has set its key.

    Parameters
    ----------
    problems: lines that begin with a key and a colon.   cfg: the config with what the command line sets.
    settings: those of the files behind the config.
    """
    # what comes later in the defaults list, or on the command line, may have taken a value's place
    kept = [one for one in settings if not one.key.startswith("hydra.") and OmegaConf.select(cfg, one.key, default=None) == one.value]
    places = {one.key: f"{one.place}: " for one in kept}
    return [places.get(problem.partition(":")[0], "") + problem for problem in problems]


def _files(config_name: str, overrides: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """The users' and plugins' files behind a config in the order in which they are merged, each with its package."""
    chain = GlobalHydra.instance().config_loader().compute_defaults_list(config_name, list(overrides), RunMode.RUN).defaults
    for default in chain:
        path = user_file(default.config_path) if default.config_path else None
        if path is not None:
            yield path, "" if default.package in (None, "_global_") else str(default.package)


def _settings_in(path: Path, package: str, hydras: bool = False) -> Iterator[_Setting]:
    """The values that a file sets.   hydras: those of Hydra's own sections, too."""
    tree, loader = read_tree(path.read_text("utf-8"), str(path), package)
    if isinstance(tree, yaml.MappingNode):
        skipped = ("defaults",) if hydras or package else ("defaults", "hydra")
        kept = [(key, node) for key, node in tree.value if key.value not in skipped]
        yield from _settings(yaml.MappingNode(tree.tag, kept, tree.start_mark, tree.end_mark), package, loader)


def _wrong_settings(path: Path, package: str, base: DictConfig, app: App) -> Iterator[str]:
    for key, line, value in _settings_in(path, package):
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        try:
            OmegaConf.merge(base, OmegaConf.create(nested))
            reason = ""
        except OmegaConfBaseException as error:
            reason = unknown_key(key, base) or error_line(error)
        own = package.partition(".")[0] in LIST_GROUPS  # the file is the choice itself
        reason = _choice_as_value(key, value, app) or ("" if own else _not_chosen(key, base)) or reason
        if reason:
            yield f"{path}, line {line}: {reason}"


def _choice_as_value(key: str, value: Any, app: App) -> str:
    """The problem of a component that is chosen as if it were a value, as in `agent: linucb`; or an empty string."""
    if (key not in app.sections and key not in LIST_GROUPS) or isinstance(value, Mapping) or (value is None and key in app.optional):
        return ""
    name = "NAME" if value is None else f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    return f"{key}: a file chooses it in its defaults list, as 'defaults: [override /{key}: {name}]', not as a value"


def _not_chosen(key: str, base: DictConfig) -> str:
    """The problem of a setting of a reward, logger or label that is not chosen, or an empty string."""
    section, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    chosen = list(map(str, base.get(section) or {})) if section in LIST_GROUPS else []
    if section not in LIST_GROUPS or not name or name in chosen:
        return ""
    origin = offered_before(section, name, registry().versions)
    return f"{key}: {section}={name} is not chosen; there is {section}=[{','.join(chosen)}]: add it there, or leave this line out{origin}"


def _settings(tree: yaml.Node, prefix: str, loader: Any) -> Iterator[_Setting]:
    """The values of a mapping and of the mappings in it."""
    if not isinstance(tree, yaml.MappingNode):
        return
    for key_node, node in _with_merged(tree):
        key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
        if isinstance(node, yaml.MappingNode) and node.value:
            yield from _settings(node, key, loader)
        else:
            yield _Setting(key, key_node.start_mark.line + 1, loader.construct_object(node, deep=True))


def _with_merged(tree: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping, and those that it takes over from others (`<<`) and does not set itself."""
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    merged = [node for key, node in tree.value if key.tag == MERGE_TAG]
    for node in merged:
        # the first of several wins
        for other in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            taken = _with_merged(other) if isinstance(other, yaml.MappingNode) else ()
            found = {str(key.value): (key, value) for key, value in taken} | found
    found |= {str(key.value): (key, value) for key, value in tree.value if key.tag != MERGE_TAG}
    yield from found.values()
