"""Checks of the YAML files that a command line chooses from the user's own folders and from plugins, with file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.config.compose.explain import explain
from recframe.config.compose.initialize import CONFIG_MODULE
from recframe.config.compose.overrides import LIST_GROUPS, unknown_key

GLOBAL_GROUPS = ("experiment", "debug")
"""Groups whose files set keys anywhere in the config."""
GLOBAL_HEADER = "# @package _global_"


class Setting(NamedTuple):
    """A value in a file: its dotted key, and the number of its line."""

    key: str
    line: int
    value: Any


def file_problems(choices: Sequence[tuple[str, str]], config_name: str) -> list[str]:
    """One line for each mistake in the chosen files, outside recframe's own configs.

    Parameters
    ----------
    choices: group and name of each choice.     config_name: the primary config, whose own file is checked for its form.
    """
    problems: list[str] = []
    for group, name in dict.fromkeys([("", config_name), *choices]):
        path = user_file(f"{group}/{name}" if group else name)
        if path is not None:
            problems += _problems_of_file(path, group, name)
    return problems


def user_file(config: str) -> Path | None:
    """The file of a config in the user's folders or in those of plugins, or None if it is recframe's own or a stored schema."""
    loader = GlobalHydra.instance().config_loader()
    for source in loader.get_sources():
        if source.scheme() == "structured":
            continue
        if source.is_config(config):
            if source.scheme() == "pkg":
                from importlib.resources import files

                package, _, folder = source.path.partition("/")
                if package == CONFIG_MODULE:
                    return None
                return Path(str(files(package))) / folder / f"{config.removesuffix('.yaml')}.yaml"
            return Path(source.path) / f"{config.removesuffix('.yaml')}.yaml"
    return None


def _problems_of_file(path: Path, group: str, name: str) -> list[str]:
    """The first thing that is wrong with the form of a file: its encoding, its YAML, or its header; so at most one line."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [f"{path}, line {line}: not UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8"]
    except OSError as error:
        return [f"{path}: cannot be read: {error.strerror}"]
    if text.startswith("\ufeff"):
        return [f"{path}, line 1: the file begins with a byte order mark, which hides its header; save it as UTF-8 without BOM"]
    return _problems_of_yaml(path, text, name) or _problems_of_header(path, text, group)


def _problems_of_yaml(path: Path, text: str, name: str) -> list[str]:
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        tab = "; indent with spaces, not with tabs" if "'\\t'" in str(error.problem) else ""
        return [f"{path}, line {line}: not YAML: {error.problem}{tab}"]
    except (yaml.YAMLError, ValueError) as error:
        return [f"{path}: not YAML: {' '.join(str(error).split())}"]
    except RecursionError:
        return [f"{path}: the values are nested too deeply, or an alias names itself"]
    if content is not None and not isinstance(content, Mapping):
        return [f"{path}, line 1: a config file consists of lines 'key: value'"]
    defaults = (content or {}).get("defaults")
    if isinstance(defaults, list) and name in defaults:
        return [f"{path}: its defaults list names the file itself ({name!r}); name the config that it extends"]
    return []


def _problems_of_header(path: Path, text: str, group: str) -> list[str]:
    package, line = _header(text)
    if group in GLOBAL_GROUPS and package is None:
        where = f"; it is in line {line}, after the first setting, where it is not read" if line else ""
        return [f"{path}: add {GLOBAL_HEADER!r} as its first line, so that its keys are those of the whole config{where}"]
    if package is None and line:
        return [f"{path}, line {line}: '# @package' is read only before the first setting; move it to the first line"]
    return []


def setting_problems(choices: Sequence[tuple[str, str]], config_name: str) -> list[str]:
    """One line for each setting in the chosen files that the config cannot take. For files of the right form, of a config that fails."""
    problems: list[str] = []
    chosen: dict[str, set[str]] = {}
    for group, name in choices:
        chosen.setdefault(group, set()).add(name)
    # where a sweep makes several choices, or several are summed, the keys of one say nothing of the others
    fixed = {group: names.pop() for group, names in chosen.items() if len(names) == 1 and group not in (*GLOBAL_GROUPS, *LIST_GROUPS)}
    open_groups = chosen.keys() - fixed.keys()
    for group, name in dict.fromkeys(choices):
        path = user_file(f"{group}/{name}")
        text = path.read_text("utf-8") if path is not None else ""
        package = _header(text)[0]
        if path is None or package not in (None, "_global_") or group in LIST_GROUPS:
            continue
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        base = _base((yaml.safe_load(text) or {}).get("defaults"), group, {key: fixed[key] for key in fixed if key != group}, config_name)
        if base is not None and tree is not None:
            settings = _settings(tree, "" if package else group)
            known = (setting for setting in settings if setting.key.partition(".")[0] not in open_groups - {group})
            problems += _wrong_settings(path, known, base)
    return problems


def _header(text: str) -> tuple[str | None, int]:
    """The package of the header, or None; and the line of a header that Hydra does not read, because settings stand before it, or 0."""
    settings = False
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip().lstrip("#").split()
        if line.strip().startswith("#") and words[:1] == ["@package"] and len(words) > 1:
            return (None, number) if settings else (words[1], 0)
        settings = settings or (bool(line.strip()) and not line.strip().startswith("#"))
    return None, 0


def _base(defaults: Any, group: str, chosen: Mapping[str, str], config_name: str) -> DictConfig | None:
    """The config that the file changes: the primary config with the choices of the file's defaults list, or of the command line, which
    has precedence. None if the defaults list is not so simple.
    """
    overrides = [f"{key}={name}" for key, name in chosen.items()]
    for entry in defaults or []:
        if isinstance(entry, str) and entry != "_self_" and "/" not in entry and group not in GLOBAL_GROUPS:
            overrides.append(f"{group}={entry}")
        elif isinstance(entry, Mapping) and len(entry) == 1:
            ((key, choice),) = entry.items()
            words = str(key).split()
            if words[0] != "override" or not words[-1].startswith("/") or choice is None:
                return None
            names = f"[{','.join(map(str, choice))}]" if isinstance(choice, list) else str(choice)
            if words[-1][1:] not in chosen:
                overrides.append(f"{words[-1][1:]}={names}")
        elif entry != "_self_":
            return None
    try:
        return compose(config_name, overrides=overrides)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, RecursionError):
        return None


def _settings(tree: yaml.Node, prefix: str) -> Iterator[Setting]:
    """The values of a mapping and of the mappings in it."""
    if not isinstance(tree, yaml.MappingNode):
        return
    for key_node, node in tree.value:
        key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
        if key_node.value in ("defaults", "hydra", "<<"):
            continue
        if isinstance(node, yaml.MappingNode) and node.value:
            yield from _settings(node, key)
        else:
            loader = yaml.SafeLoader("")
            yield Setting(key, key_node.start_mark.line + 1, loader.construct_object(node, deep=True))


def _wrong_settings(path: Path, settings: Iterator[Setting], base: DictConfig) -> Iterator[str]:
    for key, line, value in settings:
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        try:
            OmegaConf.merge(base, OmegaConf.create(nested))
        except OmegaConfBaseException as error:
            yield f"{path}, line {line}: {unknown_key(key, base) or explain(error)}"
