"""Settings that run code. Imports nothing of Hydra's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recframe.config.apps import APPS
from recframe.config.written import places_at


def code_settings(values: Any) -> list[str]:
    """The keys of settings that are true, of those that run code."""
    return list(flagged(values, ()))


def flagged(value: Any, key: tuple[str, ...]) -> Iterator[str]:
    """The settings that run code, and names of what is to be imported, which no config of recframe's has."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "_target_":
                yield ".".join((*key, name))
            elif name not in ("defaults", "hydra"):
                yield from flagged(inner, (*key, str(name)))
    elif value not in (False, None, "???") and runs_code(key):
        yield ".".join(key)


def runs_code(key: tuple[str, ...]) -> bool:
    """Whether a setting runs code that comes with a model, as `recframe.components.option` declares it."""
    return any(place.metadata.get("runs_code") for place in places_at(key, tuple(APPS.values())))
