"""The character between the fields of a .csv file, which some programs write with ';' or tabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["has_decimal_commas", "separator_name", "separator_of"]

QUOTED = re.compile(r'"(?:[^"\\]|""|\\.)*"')
DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+(?:,[0-9]+)?\s*")


def separator_of(first_line: str) -> str:
    """The separator of a file with this first line: ',' if it has one, otherwise the more frequent of ';' and tab; ',' if it has none.

    Commas do not count in quotes, nor in a line of numbers with decimal commas between ';' or tabs.
    """
    bare = QUOTED.sub("", first_line)
    other = max(";\t", key=bare.count)
    if not bare.count(other):
        return ","
    return other if "," not in bare or has_decimal_commas(bare.split(other)) else ","


def has_decimal_commas(fields: Sequence[str]) -> bool:
    """Whether all fields are numbers, some of them with a decimal comma."""
    return all(map(DECIMAL_COMMA.fullmatch, fields)) and any("," in field for field in fields)


def separator_name(separator: str) -> str:
    """A separator for messages."""
    return "tabs" if separator == "\t" else f"'{separator}'"
