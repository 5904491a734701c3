"""What a config file may not decide, because it runs code: only the command line of the person who runs it may.

A file of somebody else's must not run code by being chosen. Hydra imports what `_target_` names in its own sections, and Python's logging
what `class` and `()` name. Settings of launchers may be lines of a shell, or a cluster that is sent the jobs. A model's own code is run by
the options that `recframe.components.option` declares with `runs_code`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from posixpath import normpath
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import OverrideParseException

from recframe.config.addresses import HERE, address_at, declares
from recframe.config.compose.grid import Axis
from recframe.config.compose.plain_settings import PLAIN, RAY_ADDRESS, RAY_ADDRESSES
from recframe.config.problems import ConfigError
from recframe.config.runs_code import flagged

PLAIN_SECTIONS = ("run", "sweep", "output_subdir", "mode", "verbose")
"""Hydra's sections that hold no more than names of folders and of modes."""
CHOSEN_BY_NAME = ("hydra/launcher", "hydra/sweeper")
"""Hydra's groups in which a name is that of an installed plugin."""
NO_FILE = "which no file may decide; to allow it"


def trust_problems(content: Any, file: str, config: str, package: str) -> ConfigError | None:
    """The error for a file that would run code, or None.

    Parameters
    ----------
    config: its name, such as "experiment/mine". Files in Hydra's own groups are chosen by name on the command line.
    package: the key under which its values are merged.
    """
    if config.startswith("hydra/") and _is_hydras(config):
        kept = "Hydra's own files of that name are never replaced; give it another name, and choose it on the command line"
        return ConfigError([f"{file}: {config.rpartition('/')[0]}={config.rpartition('/')[2]} would run code; {kept}"])
    # a name with ".." may lead out of Hydra's groups
    if not isinstance(content, Mapping) or (config.startswith("hydra/") and normpath(config).startswith("hydra/")):
        return None
    nested: Any = content
    for part in reversed([part for part in package.split(".") if part]):
        nested = {part: nested}
    lines = [f"{file}: {key} would run code, {NO_FILE}, set it on the command line" for key in _code(nested)]
    lines += [
        f"{file}: hydra.sweeper.params.{key} may decide where an environment variable is sent, {NO_FILE}, set it on the command line"
        for key in _sending_params(nested)
    ]
    lines += [f"{file}: {key} {NO_FILE}, set it on the command line" for key in _databases(nested)]
    return ConfigError(lines) if lines else None


def _sending_params(content: Mapping[Any, Any]) -> Iterator[str]:
    """The settings of a sweep's jobs in a file that name an environment variable, or an address to which requests are sent."""
    params: Any = content
    for part in ("hydra", "sweeper", "params"):
        params = params.get(part) if isinstance(params, Mapping) else None
    for name, value in params.items() if isinstance(params, Mapping) else ():
        if _may_send(str(name).lstrip("+~"), value):
            yield str(name)


def _may_send(key: str, value: Any) -> bool:
    """Whether a setting names an environment variable, fills one in, or is an address to which requests are sent."""
    parts = tuple(key.split("."))
    if "oc.env" in str(value):
        return True
    if value in (None, "null"):
        return False
    address = address_at(parts, value)
    sends = address is not None and (address.kind == "endpoint" or any(name in os.environ for name in address.unnamed))
    return sends or declares(parts, "variable")


def _is_hydras(config: str) -> bool:
    """Whether Hydra has a config of this name itself, which its defaults may choose without anybody's having named it."""
    if ConfigStore.instance().get_type(f"{config}.yaml") is ObjectType.CONFIG:
        return True
    return files("hydra.conf").joinpath(*f"{config}.yaml".split("/")).is_file()


def recorded_problems(overrides: Iterable[str], file: str) -> ConfigError | None:
    """The error for overrides that a file holds and that would run code or decide where an environment variable is sent, or None.

    They may come from somebody else.
    """
    code: dict[str, None] = {}
    other: dict[str, None] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        code |= dict.fromkeys(_code_of(override))
        if not _is_of_hydra(override):
            other |= {
                f"{override.key_or_group} may decide where an environment variable is sent,": None
                for value in _values(override)
                if _may_send(override.key_or_group, value)
            }
        for value in _values(override):
            other |= dict.fromkeys(_databases(_nested(override.key_or_group, value)))
    lines = [f"{file}: {key} would run code, {NO_FILE}, repeat it on the command line" for key in code]
    lines += [f"{file}: {what} {NO_FILE}, repeat it on the command line" for what in other]
    return ConfigError(lines) if lines else None


def is_untrusted(override: str) -> bool:
    """Whether no file may decide an override, so that it has to be repeated on the command line."""
    try:
        return recorded_problems([override], "") is not None
    except OverrideParseException:
        # of a damaged file
        return False


def single_values(overrides: Iterable[str]) -> set[str]:
    """The overrides of jobs that those of a command line stand for: `seed=0` and `seed=1` for `seed=0,1`."""
    found = set()
    for text in overrides:
        # one that cannot be parsed is told of elsewhere
        with suppress(OverrideParseException):
            override = OverridesParser.create().parse_overrides([text])[0]
            axis = None if isinstance(override.value(), Glob) else Axis.of(override)
            found |= {one for choice in range(len(axis)) for one in axis.override(choice)} if axis is not None else set()
    return found


def _values(override: Override) -> tuple[Any, ...]:
    """The values of an override; none of a glob, which stands for names of configs."""
    return () if isinstance(override.value(), Glob) else Axis.of(override).values


def _is_of_hydra(override: Override) -> bool:
    """Whether an override chooses a config in Hydra's groups, or puts one into its sections."""
    return override.key_or_group.startswith("hydra/") or f"{override.package}.".startswith(("hydra.", "_global_.hydra."))


def _code_of(override: Override) -> Iterator[str]:
    """The keys of an override that would run code."""
    key = override.key_or_group
    if _is_of_hydra(override):
        if key not in CHOSEN_BY_NAME or override.package is not None:
            yield key
        return
    for value in _values(override):
        yield from _code(_nested(key, value))


def _nested(key: str, value: Any) -> Any:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _code(content: Mapping[Any, Any]) -> Iterator[str]:
    hydra = content.get("hydra")
    if hydra is not None and not isinstance(hydra, Mapping):
        # an interpolation of what is elsewhere
        yield "hydra"
    for section, value in hydra.items() if isinstance(hydra, Mapping) else ():
        if section in PLAIN_SECTIONS or (section == "job" and isinstance(value, Mapping) and set(value) <= {"name", "chdir", "config"}):
            continue
        if section == "searchpath":
            # to look into a package for configs, Python imports it
            named = value if isinstance(value, list) else [value]
            yield from (f"hydra.searchpath={place}" for place in named if "$" in str(place) or str(place).strip().startswith("pkg:"))
        elif section in PLAIN and (isinstance(value, Mapping) or "$" not in str(value)):
            yield from (f"hydra.{section}.{key}" for key in _not_plain(section, value))
        else:
            yield f"hydra.{section}"
    yield from flagged(content, ())


def _not_plain(section: str, value: Any, prefix: str = "") -> Iterator[str]:
    """The keys in the section of the launcher or sweeper that are not known to hold no more than a number or a name."""
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        key = f"{prefix}{name}"
        if (section, key) == ("sweeper", "params"):
            yield from (f"params.{one}" for one in _code_params(inner))
        elif (section, key) == ("launcher", RAY_ADDRESS):
            yield from () if inner in RAY_ADDRESSES else [f"{key}={inner}"]
        elif isinstance(inner, Mapping) and inner:
            yield from _not_plain(section, inner, f"{key}.")
        elif key not in PLAIN[section]:
            yield key


def _code_params(params: Any) -> Iterator[str]:
    """The settings of a sweep's jobs in a file that would run code, or are Hydra's own."""
    for name, value in params.items() if isinstance(params, Mapping) else ():
        try:
            override = OverridesParser.create().parse_overrides([f"{name}={value}"])[0]
        except OverrideParseException:
            # refused when the sweep starts, or an interpolation
            key = str(name).strip().lstrip("+~")
            found = key.startswith("hydra") or "@" in key or any(_code(_nested(key, value)))
        else:
            found = override.key_or_group.startswith("hydra") or any(_code_of(override))
        if found:
            yield str(name)


def _databases(content: Any) -> Iterator[str]:
    """The address of a search's database that may not be of a database on this machine."""
    for part in ("hydra", "sweeper", "storage"):
        content = content.get(part) if isinstance(content, Mapping) else None
    # the file of a journal may be any file, to which lines are appended
    if content not in (None, "null") and HERE.fullmatch(str(content)) is None:
        yield "hydra.sweeper.storage names a database that may be another's, or any file,"


def entry_problem(entry: str, package: str, own: bool) -> str:
    """Why a defaults list may not have an entry, which puts a file of the user's into Hydra's own sections; or an empty string.

    Parameters
    ----------
    package: that of the file with the list.     own: whether the config in one of Hydra's groups is a file of the user's.
    """
    place = entry.rsplit(maxsplit=1)[-1].partition("@")[2].removeprefix("_global_.")
    if own or f"{place}.".startswith("hydra.") or f"{package}.".startswith("hydra."):
        return f"{entry!r} puts a file into Hydra's sections, which could run code; to allow it, choose it on the command line"
    return ""
