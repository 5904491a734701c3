"""Values of a command line that are text although they look like numbers: folders, paths and names stay as they are typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import OverrideParseException

from recframe.config.app import App
from recframe.config.schema.store import LOGGERS
from recframe.plugin_loader import registry

HYDRA_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")


def text_as_typed(arguments: Sequence[str], app: App) -> list[str]:
    """The arguments, with quotes around values of text options that Hydra would read as numbers, booleans or nothing.

    `null` is kept: it means that an option is not set. What Hydra reads as text anyway, and what has quotes already, is not changed.
    """
    return [_quoted(argument, app) if "=" in argument and not argument.startswith("-") else argument for argument in arguments]


def holds_text(key: str, app: App) -> bool:
    """Whether the option at a dotted key holds text, whichever component is chosen there."""
    types = list(option_types(key, app))
    return key in HYDRA_FOLDERS or (bool(types) and all(str in (type_, *get_args(type_)) for type_ in types))


def option_types(key: str, app: App) -> Iterator[Any]:
    """The types of the option at a dotted key: one for each component that has it, if the section's component is to be chosen."""
    section, _, rest = key.partition(".")
    kind = app.sections.get(section)
    if not rest or (kind is None and section != "logger"):
        yield from _field_types(app.schema, key)
    elif section == "logger":
        name, _, setting = rest.partition(".")
        yield from _field_types(LOGGERS[name], setting) if name in LOGGERS else ()
    else:
        setting = rest.rpartition(".")[2]  # rewards and parts of other components have a name in between
        for registered in registry().components():
            if registered.component.kind is kind:
                yield from _field_types(registered.component.config, setting)


def _field_types(schema: type, key: str) -> Iterator[Any]:
    name, _, rest = key.partition(".")
    hints = {field.name: field.type for field in dataclasses.fields(schema)}
    type_: Any = hints.get(name)
    if isinstance(type_, str):  # of a module with postponed annotations
        type_ = {"str": str, "str | None": str | None}.get(type_, object)
    if rest and isinstance(type_, type) and dataclasses.is_dataclass(type_):
        yield from _field_types(type_, rest)
    elif type_ is not None and not rest:
        yield type_


def _quoted(argument: str, app: App) -> str:
    key, _, text = argument.partition("=")
    if not holds_text(key.lstrip("+"), app) or not text:
        return argument
    try:
        override: Override = OverridesParser.create().parse_overrides([argument])[0]
    except OverrideParseException:
        return argument
    value: Any = override._value
    if isinstance(value, ChoiceSweep):
        parts = text.split(",")
        if not value.simple_form or len(parts) != len(value.list):
            return argument
        return f"{key}={','.join(_as_text(part, one) for part, one in zip(parts, value.list, strict=True))}"
    return f"{key}={_as_text(text, value)}"


def _as_text(text: str, value: Any) -> str:
    typed = text.strip()
    misread = value is None or (isinstance(value, bool | int | float) and not isinstance(value, QuotedString))
    return f"'{typed}'" if misread and typed != "null" else text
