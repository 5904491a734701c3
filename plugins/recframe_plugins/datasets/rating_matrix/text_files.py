"""Reads rating matrices that were written as text; only where numpy refuses the numbers are they looked at one by one."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.text_lines import is_utf8
from recframe_plugins.datasets.rating_matrix.matrix import (
    MISSING_VALUE,
    USER_HEADINGS,
    Matrix,
    all_finite,
    check_ids,
    check_size,
    refusal,
    unusable,
)

__all__ = ["read_text_matrix", "separated_rows"]

# utf-8-sig also reads UTF-8 without a byte order mark
ENCODING = "utf-8-sig"
# what np.loadtxt takes for a number
NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)

HEADER_HINT = " (a first line with names has no numbers in it, or begins with 'user')"


class TextLayout(NamedTuple):
    """How a file is laid out: what parts the fields (None: blanks), the fields in a line, and the line (from 1) that is the first used.

    items: the items' names, from a header on that first line.   has_users: whether the first column holds the users' ids.
    """

    separator: str | None
    width: int
    first_line: int
    items: list[str] | None = None
    has_users: bool = False


def read_text_matrix(path: Path, separator: str | None) -> Matrix:
    """Read a file with a line for each user and a field for each item; blank lines mean nothing.

    Parameters
    ----------
    separator: between the fields; None: blanks. Only files with a separator may have a header (a first line of which no field is a
        number, or that begins with one of `USER_HEADINGS`) and under it a column of user ids, which is the first if its heading is
        one of these or empty, or if it holds text for the first two users.

    Raises
    ------
    DataError: naming file, line and column of the first problem, and how many there are.
    """
    try:
        layout = text_layout(path, separator)
        return read_laid_out(path, layout)
    except UnicodeDecodeError:
        raise DataError(f"{path}:{undecodable_line(path)}: bytes that are not UTF-8, expected a text file in UTF-8") from None


def read_laid_out(path: Path, layout: TextLayout) -> Matrix:
    """The matrix in a file whose layout is known."""
    users: list[str] = []
    lines: list[int] = []

    def ratings() -> Iterator[str]:
        for line, fields in data_rows(path, layout):
            lines.append(line)
            users.extend(fields[: layout.has_users])
            # numpy would pass over an empty line as if it were no user
            yield ",".join(fields[layout.has_users :]) or "nan"

    num_items = layout.width - layout.has_users
    try:
        values = np.loadtxt(ratings(), dtype=np.float32, comments=None, delimiter=",", ndmin=2)
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise first_problem(path, layout, str(error)) from None
    check_size(path, len(values), num_items)
    if values.shape[1] != num_items or not all_finite(values):
        raise first_problem(path, layout, "its lines differ in their number of fields")
    check_ids("user", users, lambda number: f"{path}:{lines[number]}")
    return Matrix(values, users if layout.has_users else None, layout.items)


def data_rows(path: Path, layout: TextLayout) -> Iterator[tuple[int, list[str]]]:
    """The lines with a user's ratings: their numbers (from 1) and their fields, stripped."""
    return islice(lines_of(path, layout.separator), int(layout.items is not None), None)


def text_layout(path: Path, separator: str | None) -> TextLayout:
    """The layout of a file, by its first three lines.

    Raises
    ------
    DataError: if it is empty, has a header only, or names items badly.
    """
    head = list(islice(lines_of(path, separator), 3))
    if not head:
        raise DataError(f"{path}: is empty, expected a line of numbers for each user")
    line, first = head[0]
    users_named = first[0].lower() in USER_HEADINGS
    all_text = any(first) and not any(map(NUMBER.fullmatch, first))
    if separator is None or not (users_named or all_text):
        return TextLayout(separator, len(first), line)
    below = [fields[0] for _, fields in head[1:]]
    if not below:
        raise DataError(f"{path}: holds a line of names only, expected a line of numbers for each user under it")
    text_below = len(below) > 1 and not any(not field or NUMBER.fullmatch(field) for field in below)
    has_users = users_named or not first[0] or text_below
    names = first[has_users:]
    check_ids("item", names, lambda number: f"{path}:{line}: column {number + 1 + has_users}")
    return TextLayout(separator, len(first), line, names, has_users)


def lines_of(path: Path, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file that are not blank: their numbers (from 1) and their fields, stripped."""
    with path.open(encoding=ENCODING) as file:
        if separator is None:
            yield from ((number, fields) for number, line in enumerate(file, 1) if (fields := line.split()))
        else:
            yield from separated_rows(path, file, separator)


def separated_rows(path: Path, lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The `lines` of `path` that are not blank: their numbers (from 1) and their fields, unquoted and stripped.

    Raises
    ------
    DataError: at a line with quotes that are not closed, or that do not enclose a field.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if len(stripped) > 1 or any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise DataError(
            f"{path}:{reader.line_num}: cannot be split at {separator!r} ({error}), expected quotes around whole fields"
        ) from None


def first_problem(path: Path, layout: TextLayout, otherwise: str) -> DataError:
    """The first thing that is wrong with a file, and how many are; `otherwise` is what to say if it is nothing that is known here."""
    problems = problems_in(path, layout)
    line, problem = next(problems, (0, ""))
    if not problem:
        return DataError(f"{path}: {otherwise}; expected a line of numbers for each user")
    return refusal(f"{path}:{line}: {problem}", 1 + sum(1 for _ in problems))


def problems_in(path: Path, layout: TextLayout) -> Iterator[tuple[int, str]]:
    """Everything that is wrong with a file: line (from 1) and problem."""
    for line, fields in data_rows(path, layout):
        if len(fields) != layout.width:
            yield line, f"{len(fields)} value(s), expected {layout.width}, as line {layout.first_line} has"
            continue
        ratings = fields[layout.has_users :]
        if all_usable(ratings):
            continue
        hint = HEADER_HINT if layout.separator and line == layout.first_line else ""
        for column, field in enumerate(ratings, 1 + layout.has_users):
            if problem := problem_of(field):
                yield line, f"column {column}: {problem}{hint}"


def all_usable(fields: list[str]) -> bool:
    """Whether numpy takes all these fields for finite numbers; much quicker than `problem_of` each."""
    if not all(fields):
        return False
    try:
        values = np.loadtxt([",".join(fields)], dtype=np.float32, comments=None, delimiter=",", ndmin=2)
    except ValueError:
        return False
    return values.shape == (1, len(fields)) and all_finite(values)


def problem_of(field: str) -> str:
    """What is wrong with a field that should be a finite float32; "" if nothing is."""
    if not field:
        return MISSING_VALUE
    if not NUMBER.fullmatch(field):
        shown = field if len(field) <= 80 else field[:77] + "..."
        return f"{shown!r} is not a number, expected one such as 3.5"
    with np.errstate(over="ignore"):
        if np.isfinite(np.float32(field)):
            return ""
    return unusable(repr(field), finite=field.lstrip("+-")[0].lower() not in "in")


def undecodable_line(path: Path) -> int:
    """The number (from 1) of the first line that is not UTF-8."""
    with path.open("rb") as file:
        return next((number for number, line in enumerate(file, 1) if not is_utf8(line)), 1)
