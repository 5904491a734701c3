"""Values of a command line as they are typed: text options that look like numbers stay text, and `1e3` is an integer where one belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import OverrideParseException

from recframe.config.app import App
from recframe.config.schema import declared
from recframe.config.schema.declared import Declared
from recframe.config.written import places_at, whole_number

NAME_GROUPS = ("experiment", "study", "debug", "trainer", "labels", "logger")
"""The groups without a component; like those with one, they are chosen by name."""
OPEN, CLOSE, QUOTES = "[{(", "]})", "'\""


def text_as_typed(arguments: Sequence[str], app: App) -> list[str]:
    """The arguments, with quotes around values of text options that Hydra would read as numbers, booleans or nothing.

    `null` is kept: it means that an option is not set. What Hydra reads as text anyway, and what has quotes already, is not changed.
    Numbers such as `1e3` are written out where an integer is expected.
    """
    return [_as_typed(argument, app) if "=" in argument and not argument.startswith("-") else argument for argument in arguments]


def expects_text(key: str, app: App) -> bool:
    """Whether the option at a dotted key holds text, or the key is a group, whose choices are names."""
    return is_name(key, app) or declared.holds_text(declared_of(key, app))


def is_name(key: str, app: App) -> bool:
    """Whether the key is that of a group."""
    return "." not in key.partition("@")[0] and key.partition("@")[0] in (*app.sections, *NAME_GROUPS)


def declared_of(key: str, app: App) -> list[Declared]:
    """What is declared at a dotted key."""
    return places_at(key.split("."), [app])


def _as_typed(argument: str, app: App) -> str:
    key, _, text = argument.partition("=")
    if not text:
        return argument
    try:
        override: Override = OverridesParser.create().parse_overrides([argument])[0]
    except OverrideParseException:
        return argument
    value: Any = override._value
    names = is_name(key.lstrip("+~"), app)
    path = key.lstrip("+").split(".")
    if isinstance(value, ChoiceSweep):
        parts = _split(text)
        if not value.simple_form or len(parts) != len(value.list):
            return argument
        return f"{key}={','.join(_spelt(part, one, path, names, app) for part, one in zip(parts, value.list, strict=True))}"
    return f"{key}={_spelt(text, value, path, names, app)}"


def _spelt(text: str, value: Any, path: list[str], names: bool, app: App) -> str:
    """One value in the form that Hydra reads as it was meant, with those in a list or a dict."""
    typed = text.strip()
    if isinstance(value, list | dict):
        parts = _split(typed[1:-1]) if typed[:1] in ("[", "{") and typed[-1:] in ("]", "}") else []
        if not parts or len(parts) != len(value):
            return text
        if isinstance(value, list):
            inner = [_spelt(part, value[i], [*path, str(i)], names, app) for i, part in enumerate(parts)]
            return f"[{','.join(inner)}]"
        pairs = [part.partition(":") for part in parts]
        spelt = [_spelt(part, one, [*path, name.strip()], names, app) for (name, _, part), one in zip(pairs, value.values(), strict=True)]
        return f"{{{','.join(f'{name}:{one}' for (name, _, _), one in zip(pairs, spelt, strict=True))}}}"
    if value is not None and (not isinstance(value, bool | int | float) or isinstance(value, QuotedString)):
        return text
    found = places_at(path, [app])
    if names or declared.holds_text(found):
        return text if typed == "null" else f"'{typed}'"
    whole = whole_number(typed) if isinstance(value, float) and declared.holds_integer(found) else None
    return text if whole is None else str(whole)


def _split(text: str) -> list[str]:
    """The parts between the commas that are neither in brackets nor in quotes."""
    parts, depth, quote = [""], 0, ""
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[i - 1] != "\\" else quote
        elif letter in QUOTES:
            quote = letter
        elif letter in OPEN + CLOSE:
            depth += 1 if letter in OPEN else -1
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if text.strip() else []
