"""The schema of a component's config section: what OmegaConf cannot hold, and the settings that the core reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from recframe.components import CORE_SETTINGS, Component, ComponentError, Kind, LoggerComponent

SUPPORTED = "a setting is a bool, int, float, str, bytes, Path or Enum, a list, tuple or dict of these, or one of these | None"


PLAIN: Mapping[str, type] = {"bool": bool, "float": float, "int": int, "str": str}


def check_schema(component: Component | LoggerComponent) -> None:
    """Refuse a config dataclass that cannot be the section of a config, or that lacks a setting that the core reads.

    Raises
    ------
    ComponentError: with the component, the field and the fix.
    """
    where, config = f"{component.kind} {component.name!r}: ", component.config
    if not all(map(_is_plain, dataclasses.fields(config))):
        try:
            OmegaConf.structured(config)
        except Exception as error:  # of many types, some without a message
            raise ComponentError(f"{where}{_unsupported(config) or f'{config.__name__} cannot be a config: {_line(error)}'}") from error
    needed = CORE_SETTINGS.get(Kind(component.kind)) if isinstance(component, Component) else None
    if needed and not any(field.name == needed and field.type in (int, "int") for field in dataclasses.fields(config)):
        raise ComponentError(f"{where}{config.__name__} needs a field '{needed}: int', which the core reads")


def _is_plain(field: dataclasses.Field[Any]) -> bool:
    """Whether a field is such that OmegaConf need not be asked, which takes most of the time of loading a plugin."""
    declared = PLAIN.get(field.type) if isinstance(field.type, str) else field.type
    return declared in PLAIN.values() and type(field.default) is declared


def _unsupported(config: type) -> str:
    """The first field that OmegaConf cannot hold, its reason and what it can hold; '' if each field by itself is held."""
    for field in dataclasses.fields(config):
        single = dataclasses.make_dataclass(config.__name__, [(field.name, field.type, _copied(field))])
        # annotations that are text are looked up in the module
        single.__module__ = config.__module__
        try:
            OmegaConf.structured(single)
        except Exception as error:
            return f"{config.__name__} cannot be a config: {_line(error)}, in the field '{field.name}: {_annotation(field)}'; {SUPPORTED}"
    return ""


def _copied(field: dataclasses.Field[Any]) -> Any:
    """A field with the same default: one object cannot be a field of two classes."""
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory)
    return dataclasses.field(default=field.default)


def _annotation(field: dataclasses.Field[Any]) -> str:
    if isinstance(field.type, str):
        return field.type
    # a class by its name, and list[int] or int | None as it is written
    return field.type.__name__ if isinstance(field.type, type) and not hasattr(field.type, "__args__") else str(field.type)


def _line(error: Exception) -> str:
    """The error's first line, with the next where it ends in a colon."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])
