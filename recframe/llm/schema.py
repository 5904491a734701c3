"""Structured answers: the JSON that a model is to answer with, found in its text and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

SHOWN = 200
"""Characters of an answer that a message repeats."""
MOST_OPENINGS = 50
"""Brackets at which JSON may begin, that are tried: each may be read to the end of a long text."""


@dataclass(frozen=True)
class Schema:
    """The form of an answer.

    definition: JSON Schema (draft 2020-12), as `{"type": "object", "properties": {"stays": {"type": "boolean"}}, "required": ["stays"]}`.

    Raises
    ------
    ValueError: if it is no valid JSON Schema.
    """

    definition: Mapping[str, Any]

    def __post_init__(self) -> None:
        from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]  # no types are published

        try:
            Draft202012Validator.check_schema(self.definition)
        except SchemaError as error:
            raise ValueError(f"not a JSON Schema: {error.message}") from None

    @property
    def instruction(self) -> str:
        """What a model is told of it, to be put after the system's text."""
        return f"Answer with JSON only, of this JSON Schema, and nothing else: {json.dumps(self.definition)}"

    def read(self, text: str) -> tuple[Any, str | None]:
        """The value in a text and None, or None and what is wrong, in one line.

        Words around the JSON, such as a fence of Markdown, do not matter; the first value that is an object or a list counts, or else the
        whole text.
        """
        try:
            value = _found(text)
        except ValueError:
            return None, f"it is not JSON: {shortened(text)}"
        from jsonschema import Draft202012Validator

        errors = sorted(Draft202012Validator(self.definition).iter_errors(value), key=lambda error: error.json_path)
        if not errors:
            return value, None
        first = errors[0]
        return None, f"{first.json_path}: {shortened(first.message)}"


def _found(text: str) -> Any:
    """The JSON in a text.

    Raises
    ------
    ValueError: if there is none, or only numbers that JSON does not have.
    """
    decoder = json.JSONDecoder(parse_constant=_refuse)
    try:
        return decoder.decode(text.strip())
    except (ValueError, RecursionError):
        pass
    for opening in islice(re.finditer(r"[{\[]", text), MOST_OPENINGS):
        try:
            return decoder.raw_decode(text, opening.start())[0]
        except (ValueError, RecursionError):
            continue
    raise ValueError("no JSON")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def shortened(text: str) -> str:
    """The beginning of a text in one line."""
    words = " ".join(text.split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}..."
