"""What a config file may not decide, because it runs code: only the command line of the person who runs it may.

A file of somebody else's must not run code by being chosen. Hydra imports what `_target_` names in its own sections, and Python's logging
what `class` and `()` name. A model's own code is run with the options that `recframe.components.option` declares with `runs_code`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recframe.config.apps import APPS
from recframe.config.problems import ConfigError
from recframe.config.written import places_at

PLAIN_SECTIONS = ("run", "sweep", "output_subdir", "mode", "verbose", "searchpath")
"""Hydra's sections that hold no more than names of folders and of modes."""
PARTLY_PLAIN = ("launcher", "sweeper")
"""Hydra's sections whose settings are plain, besides the name of the class."""


def trust_problems(content: Any, file: str, config: str, package: str) -> ConfigError | None:
    """The error for a file that would run code, or None.

    Parameters
    ----------
    config: its name, such as "experiment/mine". Files in Hydra's own groups are chosen by name on the command line.
    package: the key under which its values are merged.
    """
    if not isinstance(content, Mapping) or config.startswith("hydra/"):
        return None
    nested: Any = content
    for part in reversed([part for part in package.split(".") if part]):
        nested = {part: nested}
    lines = [
        f"{file}: {key} would run code, which a file may not decide; if you trust it, set it on the command line" for key in _code(nested)
    ]
    return ConfigError(lines) if lines else None


def code_settings(values: Any) -> list[str]:
    """The keys of settings that are true, of those that run code."""
    return list(_flagged(values, ()))


def _code(content: Mapping[Any, Any]) -> Iterator[str]:
    hydra = content.get("hydra")
    for section, value in hydra.items() if isinstance(hydra, Mapping) else ():
        if section in PLAIN_SECTIONS or (section == "job" and isinstance(value, Mapping) and set(value) <= {"name", "chdir", "config"}):
            continue
        if section in PARTLY_PLAIN:
            yield from (f"hydra.{section}.{key}" for key in _imports(value))
        else:
            yield f"hydra.{section}"
    yield from _flagged(content, ())


def _imports(value: Any, prefix: str = "") -> Iterator[str]:
    """The keys in a plain section that name what is to be imported, or override Hydra's own settings in the jobs of a sweep."""
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if str(key).startswith("_") or str(key).lstrip("+~").startswith("hydra"):
            yield f"{prefix}{key}"
        else:
            yield from _imports(inner, f"{prefix}{key}.")


def _flagged(value: Any, key: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("defaults", "hydra"):
                yield from _flagged(inner, (*key, str(name)))
    elif value not in (False, None, "???") and any(place.metadata.get("runs_code") for place in places_at(key, tuple(APPS.values()))):
        yield ".".join(key)
