"""What is between the fields of a text file: commas, or what other programs write there."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["consistent_separator", "has_decimal_commas", "separator_name", "separator_of"]

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


def consistent_separator(lines: Sequence[str]) -> str:
    """The separator that all of the first `lines` of a file have equally often outside quotes; or that of the first (`separator_of`).

    Of several, `::` and then the most frequent one counts; blanks count only if there is no other.
    """
    bare = [QUOTED.sub("", line) for line in lines]
    if all("::" in line for line in bare):
        return "::"
    counts = {one: {line.count(one) for line in bare} for one in (*",;\t|", " ")}
    equal = {one: found.pop() for one, found in counts.items() if len(found) == 1 and 0 not in found}
    blanks = equal.pop(" ", 0)
    if equal:
        return str(max(equal, key=lambda one: equal[one]))
    if blanks and not any(one in bare[0] for one in ",;\t|"):
        return " "
    return "|" if "|" in bare[0] and not any(one in bare[0] for one in ",;\t") else separator_of(lines[0])


def has_decimal_commas(fields: Sequence[str]) -> bool:
    """Whether all fields are numbers, some of them with a decimal comma."""
    return all(map(DECIMAL_COMMA.fullmatch, fields)) and any("," in field for field in fields)


def separator_name(separator: str) -> str:
    """A separator for messages."""
    return {"\t": "tabs", " ": "blanks"}.get(separator, f"'{separator}'")
