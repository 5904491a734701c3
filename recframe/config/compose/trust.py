"""What a config file may not decide, because it runs code: only the command line of the person who runs it may.

A file of somebody else's must not run code by being chosen. Hydra imports what `_target_` names in its own sections, and Python's logging
what `class` and `()` name. A model's own code is run with the options that `recframe.components.option` declares with `runs_code`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser

from recframe.config.addresses import address_at, declares
from recframe.config.compose.grid import Axis
from recframe.config.problems import ConfigError
from recframe.config.runs_code import flagged, runs_code

PLAIN_SECTIONS = ("run", "sweep", "output_subdir", "mode", "verbose")
"""Hydra's sections that hold no more than names of folders and of modes."""
CHOSEN_BY_NAME = ("hydra/launcher", "hydra/sweeper")
"""Hydra's groups in which a name is that of an installed plugin."""
PARTLY_PLAIN = ("launcher", "sweeper")
"""Hydra's sections whose settings are plain, besides the name of the class."""


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
    if not isinstance(content, Mapping) or config.startswith("hydra/"):
        return None
    nested: Any = content
    for part in reversed([part for part in package.split(".") if part]):
        nested = {part: nested}
    lines = [f"{file}: {key} would run code, which no file may decide; to allow it, set it on the command line" for key in _code(nested)]
    lines += [
        f"{file}: hydra.sweeper.params.{key} may decide where an environment variable is sent, which no file may decide; to allow it, "
        "set it on the command line"
        for key in _sending_params(nested)
    ]
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
    sending: dict[str, None] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key.startswith("hydra/") or f"{override.package}.".startswith(("hydra.", "_global_.hydra.")):
            code |= {} if key in CHOSEN_BY_NAME else {key: None}
            continue
        for value in Axis.of(override).values:
            nested: Any = value
            for part in reversed(key.split(".")):
                nested = {part: nested}
            code |= dict.fromkeys(_code(nested))
            sending |= {key: None} if _may_send(key, value) else {}
    lines = [f"{file}: {key} would run code, which no file may decide; to allow it, repeat it on the command line" for key in code]
    lines += [
        f"{file}: {key} may decide where an environment variable is sent, which no file may decide; to allow it, repeat it on the "
        "command line"
        for key in sending
    ]
    return ConfigError(lines) if lines else None


def _code(content: Mapping[Any, Any]) -> Iterator[str]:
    hydra = content.get("hydra")
    for section, value in hydra.items() if isinstance(hydra, Mapping) else ():
        if section in PLAIN_SECTIONS or (section == "job" and isinstance(value, Mapping) and set(value) <= {"name", "chdir", "config"}):
            continue
        if section == "searchpath":
            # to look into a package for configs, Python imports it
            named = value if isinstance(value, list) else [value]
            yield from (f"hydra.searchpath={place}" for place in named if "$" in str(place) or str(place).strip().startswith("pkg:"))
        elif section in PARTLY_PLAIN:
            yield from (f"hydra.{section}.{key}" for key in _imports(value))
        else:
            yield f"hydra.{section}"
    yield from flagged(content, ())


def _imports(value: Any, prefix: str = "") -> Iterator[str]:
    """The keys in a plain section that name what is to be imported, or override Hydra's own settings in the jobs of a sweep."""
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        name = str(key).lstrip("+~")
        if name.startswith(("_", "hydra")) or runs_code(tuple(name.split("."))):
            yield f"{prefix}{key}"
        else:
            yield from _imports(inner, f"{prefix}{key}.")


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
