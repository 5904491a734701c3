"""Checks of the form of the YAML files that a command line chooses from the user's own folders and from plugins, with file and line."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType

from recframe.config.compose.sources import OWN_PACKAGES, is_own, package_of
from recframe.config.compose.trust import entry_problem, trust_problems
from recframe.config.problems import ConfigError
from recframe.config.written import read_yaml
from recframe.plugin_loader import registry, suggestion

log = logging.getLogger(__name__)

GLOBAL_GROUPS = ("experiment", "study", "debug")
"""Groups whose files set keys anywhere in the config."""
GLOBAL_HEADER = "# @package _global_"

Choice = tuple[str, str]
"""A group ("" for the primary config) and the name of a config in it."""


class WrongFile(NamedTuple):
    """A chosen config whose own file, or a file that its defaults lists name, cannot be read, and why."""

    choice: Choice
    problem: str


def wrong_files(choices: Sequence[Choice]) -> Iterator[WrongFile]:
    """Each mistake in the form of the chosen files and of those that their defaults lists name, outside recframe's own configs."""
    for choice in dict.fromkeys(choices):
        _note_shadowed(choice)
        for problem in dict.fromkeys(_problems_below(config_of(choice), ())):
            yield WrongFile(choice, problem)


def _note_shadowed(choice: Choice) -> None:
    """Say that a file of the user's is not read, because recframe's own config of its name comes first."""
    group, name = choice
    config = config_of(choice)
    if group and user_file(config) is None:
        for source in GlobalHydra.instance().config_loader().get_sources():
            path = Path(source.path) / f"{config}.yaml"
            # a checkout of recframe has the same files
            if source.scheme() == "file" and source.is_config(config) and path.read_bytes() != _own_file(config):
                _say_shadowed(str(path), f"{group}={name}")


def _own_file(config: str) -> bytes:
    """The bytes of recframe's own config; empty if that is a stored schema."""
    file = files(OWN_PACKAGES[0]).joinpath(*f"{config}.yaml".split("/"))
    return file.read_bytes() if file.is_file() else b""


@cache
def _say_shadowed(file: str, choice: str) -> None:
    log.warning("%s is not used: the built-in %s has its name; give it another one", file, choice)


def config_of(choice: Choice) -> str:
    """The path of a config below the search path, such as "experiment/mine"."""
    return "/".join(part for part in choice if part)


def _problems_below(config: str, above: tuple[str, ...]) -> Iterator[str]:
    path = user_file(config)
    if path is None:
        return
    if config in above:
        cycle = [str(user_file(one)) for one in above[above.index(config) :]]
        yield f"{path}: its defaults list leads back to the file itself, by way of {', '.join(cycle[1:])}; take one of these entries out"
        return
    problems = _problems_of_file(path, config)
    if problems:
        yield from problems
        return
    text = path.read_text("utf-8")
    package = package_of({"package": header(text)[0]}, config)
    for entry, named in _named_configs(read_yaml(text, str(path)), config):
        own = named.startswith("hydra/") and user_file(named) is not None
        problem = entry_problem(entry, package, own) or _problem_of_entry(entry, named)
        if problem:
            yield f"{path}, line {_line_of(named.rpartition('/')[2], text)}: {problem}"
        else:
            yield from _problems_below(named, (*above, config))


def _problem_of_entry(entry: str, named: str) -> str:
    """The problem of an entry of a defaults list, which names the config `named`; or an empty string."""
    group, _, name = named.rpartition("/")
    if "override" in entry.split()[:-1] and group in GLOBAL_GROUPS:
        return (
            f"{group} cannot be overridden, because it is chosen later; write 'defaults: [/{named}]', or {group}={name} on the command line"
        )
    loader: Any = GlobalHydra.instance().config_loader()
    if "optional" in entry.split() or loader.repository.config_exists(named):
        return ""
    absolute = named.partition("/")[2]
    if "/" in absolute and loader.repository.config_exists(absolute):
        place, _, choice = absolute.rpartition("/")
        word = "/" if place in GLOBAL_GROUPS else "override /"
        return f"there is no config {named!r}, since the entry is relative to the file's folder; write '{word}{place}: {choice}'"
    choices = loader.repository.get_group_options(group, ObjectType.CONFIG) if group else []
    return f"there is no config {named!r}{suggestion(name, choices) if choices else ''}{registry().whence(group, name)}"


def _line_of(name: str, text: str) -> int:
    """The first line of a defaults list that has the name."""
    return next((number for number, line in enumerate(text.splitlines(), start=1) if name in line.partition("#")[0]), 1)


def _named_configs(content: Any, config: str) -> Iterator[tuple[str, str]]:
    """The entries of a defaults list with the configs that they name, as far as they do so without interpolations."""
    entries = content.get("defaults") if isinstance(content, Mapping) else None
    group = config.rpartition("/")[0]
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, str):
            words, names = entry, [""]
        elif isinstance(entry, Mapping) and len(entry) == 1:
            ((words, chosen),) = entry.items()
            names = [str(name) for name in (chosen if isinstance(chosen, list) else [chosen]) if name is not None]
        else:
            continue
        place = str(words).split()[-1].partition("@")[0]
        for name in names:
            below = "/".join(part for part in (place, name) if part)
            if below != "_self_" and "${" not in below:
                yield str(words), below[1:] if below.startswith("/") else "/".join(part for part in (group, below) if part)


def user_file(config: str) -> Path | None:
    """The file of a config in the user's folders or in those of plugins, or None if it is recframe's own or a stored schema."""
    loader = GlobalHydra.instance().config_loader()
    for source in loader.get_sources():
        if source.scheme() == "structured":
            continue
        if source.is_config(config):
            if source.scheme() == "pkg":
                package, _, folder = source.path.partition("/")
                if is_own(package, config):
                    return None
                return Path(str(files(package))) / folder / f"{config.removesuffix('.yaml')}.yaml"
            return Path(source.path) / f"{config.removesuffix('.yaml')}.yaml"
    return None


def _problems_of_file(path: Path, config: str) -> list[str]:
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
    return _problems_of_yaml(path, text, config) or _problems_of_header(path, text, config.partition("/")[0])


def _problems_of_yaml(path: Path, text: str, config: str) -> list[str]:
    try:
        package = package_of({"package": header(text)[0]}, config)
        content = read_yaml(text, str(path), package)
    except yaml.MarkedYAMLError as error:
        # a line without its colon is found only at the next one
        mark = error.context_mark if "expected ':'" in str(error.problem) else error.problem_mark
        line = mark.line + 1 if mark else 1
        tab = "; indent with spaces, not with tabs" if "'\\t'" in str(error.problem) else ""
        return [f"{path}, line {line}: not YAML: {error.problem}{tab}"]
    except (yaml.YAMLError, ValueError) as error:
        return error.problems if isinstance(error, ConfigError) else [f"{path}: not YAML: {' '.join(str(error).split())}"]
    except RecursionError:
        return [f"{path}: the values are nested too deeply, or an alias names itself"]
    if content is not None and not isinstance(content, Mapping):
        return [f"{path}, line 1: a config file consists of lines 'key: value'"]
    defaults, name = (content or {}).get("defaults"), config.rpartition("/")[2]
    if isinstance(defaults, list) and name in defaults:
        return [f"{path}: its defaults list names the file itself ({name!r}); name the config that it extends"]
    untrusted = trust_problems(content, str(path), config, package)
    return untrusted.problems if untrusted else []


def _problems_of_header(path: Path, text: str, group: str) -> list[str]:
    package, line = header(text)
    if group in GLOBAL_GROUPS and package is None:
        where = f"; it is in line {line}, after the first setting, where it is not read" if line else ""
        return [f"{path}: add {GLOBAL_HEADER!r} as its first line, so that its keys are those of the whole config{where}"]
    if package is None and line:
        return [f"{path}, line {line}: '# @package' is read only before the first setting; move it to the first line"]
    return []


def header(text: str) -> tuple[str | None, int]:
    """The package of the header, or None; and the line of a header that Hydra does not read, because settings stand before it, or 0."""
    settings = False
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip().lstrip("#").split()
        if line.strip().startswith("#") and words[:1] == ["@package"] and len(words) > 1:
            return (None, number) if settings else (words[1], 0)
        settings = settings or (bool(line.strip()) and not line.strip().startswith("#"))
    return None, 0
