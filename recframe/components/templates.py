"""Templates of prompts: texts with fields in braces. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from string import Formatter
from typing import NamedTuple

PERSON_FIELDS, ITEM_FIELDS = ("profile", "context", "history"), ("title", "feedback")
"""The fields of a prompt about a person, and of each item in its history."""


class Piece(NamedTuple):
    """A piece of a template: a text, or a field by its name."""

    text: str
    is_field: bool


def pieces(template: str) -> list[Piece]:
    """The pieces of a template in order.

    Raises
    ------
    ValueError: braces that do not match.
    """
    found = []
    for text, field, _, _ in Formatter().parse(template):
        found += [Piece(text, False)] if text else []
        found += [Piece(field, True)] if field is not None else []
    return found


def template_problems(key: str, template: str, fields: Collection[str]) -> Iterator[str]:
    """What is wrong with the template of the option `key`, one line each."""
    try:
        named = [piece.text for piece in pieces(template) if piece.is_field]
    except ValueError as error:
        yield f"{key}: {error}; write a field as {{{next(iter(fields))}}}, and a brace twice"
        return
    known = ", ".join(f"{{{field}}}" for field in fields)
    yield from (f"{key}: there is no field {{{name}}}; the fields are {known}" for name in named if name not in fields)
    yield from (f"{key} names {{{name}}} twice; name it once" for name in sorted(set(named)) if name in fields and named.count(name) > 1)
