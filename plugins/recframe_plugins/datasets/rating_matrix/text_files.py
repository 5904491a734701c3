"""Reads rating matrices from text files. Values are inspected one by one only if numpy refuses them."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.encodings import byte_order_mark, is_utf8
from recframe_plugins.datasets.files.separators import has_decimal_commas, separator_name, separator_of
from recframe_plugins.datasets.rating_matrix.matrix import (
    MISSING_VALUE,
    USER_HEADINGS,
    Matrix,
    all_usable,
    check_ids,
    check_size,
    refusal,
    unusable,
)
from recframe_plugins.datasets.rating_matrix.plausibility import refuse_long_table

__all__ = ["read_text_matrix", "separated_rows"]

logger = logging.getLogger(__name__)

# what np.loadtxt accepts as a number
NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)

HEADER_HINT = " (a header has no numbers in it, or starts with 'user')"


class TextLayout(NamedTuple):
    """The layout of a text file: encoding, separator (None: blanks), number of fields in a line, and first nonblank line (from 1).

    items: the item names, if that first line is a header.   has_users: whether the first column holds the user ids.
    """

    encoding: str
    separator: str | None
    width: int
    first_line: int
    items: list[str] | None = None
    has_users: bool = False


def read_text_matrix(path: Path, missing: bool, separated: bool) -> Matrix:
    """Read a file with one line per user and one field per item; blank lines are ignored.

    Parameters
    ----------
    missing: whether ratings may be missing: fields that are empty, or `nan`.
    separated: whether the fields are separated by ',', ';' or tabs (as `separator_of` finds in the first line), or by blanks. Only files
        with a separator can have a header (a first line without numbers, or one that starts with one of `USER_HEADINGS`). With a
        header, the first column holds user ids if its heading is one of `USER_HEADINGS` or empty, or if it holds text for the first
        two users.

    Raises
    ------
    DataError: the file cannot be used; the message names file, line and column of the first problem, and the number of problems.
    """
    encoding = encoding_of(path)
    try:
        layout = text_layout(path, encoding, first_separator(path, encoding) if separated else None)
        return read_laid_out(path, layout, missing)
    except UnicodeError as error:
        if encoding.startswith("utf-8"):
            raise DataError(f"{path}:{undecodable_line(path)}: bytes that are not UTF-8, expected a text file in UTF-8") from None
        raise DataError(f"{path}: begins like {encoding.upper()}, but is not ({error}); expected {encoding.upper()}") from None


def read_laid_out(path: Path, layout: TextLayout, missing: bool) -> Matrix:
    """Read the matrix in a file with a known layout."""
    users: list[str] = []
    lines: list[int] = []

    def ratings() -> Iterator[str]:
        for line, fields in data_rows(path, layout):
            lines.append(line)
            users.extend(fields[: layout.has_users])
            # numpy would skip an empty line, and with it the user
            ratings = fields[layout.has_users :]
            yield ",".join([field or "nan" for field in ratings] if missing else ratings) or "nan"

    num_items = layout.width - layout.has_users
    try:
        values = np.loadtxt(ratings(), dtype=np.float32, comments=None, delimiter=",", ndmin=2)
    except UnicodeError:
        raise
    except ValueError as error:
        raise first_problem(path, layout, missing, str(error)) from None
    check_size(path, len(values), num_items)
    if values.shape[1] != num_items or not all_usable(values, missing):
        raise first_problem(path, layout, missing, "its lines have different numbers of fields")
    check_ids("user", users, lambda number: f"{path}:{lines[number]}")
    return Matrix(values, users if layout.has_users else None, layout.items)


def data_rows(path: Path, layout: TextLayout) -> Iterator[tuple[int, list[str]]]:
    """The lines with the ratings of users: their numbers (from 1) and their fields, stripped."""
    return islice(lines_of(path, layout.encoding, layout.separator), int(layout.items is not None), None)


def text_layout(path: Path, encoding: str, separator: str | None) -> TextLayout:
    """The layout of a file, by its first three lines.

    Raises
    ------
    DataError: it is empty, has only a header, or has empty or repeated item names.
    """
    head = list(islice(lines_of(path, encoding, separator), 3))
    if not head:
        raise DataError(f"{path}: is empty, expected a line of numbers for each user")
    line, first = head[0]
    refuse_long_table(f"{path}:{line}", first)
    users_named = first[0].lower() in USER_HEADINGS
    all_text = any(first) and not any(map(NUMBER.fullmatch, first)) and not has_decimal_commas(first)
    if separator is None or not (users_named or all_text):
        return TextLayout(encoding, separator, len(first), line)
    below = [fields[0] for _, fields in head[1:]]
    if not below:
        raise DataError(f"{path}: holds only a header, expected a line of numbers for each user below it")
    text_below = len(below) > 1 and not any(not field or NUMBER.fullmatch(field) for field in below)
    has_users = users_named or not first[0] or text_below
    names = first[has_users:]
    check_ids("item", names, lambda number: f"{path}:{line}: column {number + 1 + has_users}")
    return TextLayout(encoding, separator, len(first), line, names, has_users)


def encoding_of(path: Path) -> str:
    """The encoding that the file's byte order mark names, or else UTF-8."""
    with path.open("rb") as file:
        return byte_order_mark(file.read(4)) or "utf-8"


def first_separator(path: Path, encoding: str) -> str:
    """The separator of the first line that is not blank."""
    with path.open(encoding=encoding) as file:
        separator = separator_of(next((line for line in file if line.strip()), ""))
    if separator != ",":
        logger.info("%s: %s are between the fields, not ','", path, separator_name(separator))
    return separator


def lines_of(path: Path, encoding: str, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """The lines of a file that are not blank: their numbers (from 1) and their fields, stripped."""
    with path.open(encoding=encoding) as file:
        if separator is None:
            yield from ((number, fields) for number, line in enumerate(file, 1) if (fields := line.split()))
        else:
            yield from separated_rows(path, file, separator)


def separated_rows(path: Path, lines: Iterable[str], separator: str, escape: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The `lines` of `path` that are not blank: their numbers (from 1) and their fields, unquoted and stripped.

    Parameters
    ----------
    escape: a character that takes the meaning from the quote after it, in addition to the doubled quotes of RFC 4180.

    Raises
    ------
    DataError: a line has quotes that are not closed, or that do not enclose a field.
    """
    reader = csv.reader(lines, delimiter=separator, escapechar=escape, strict=True)
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if len(stripped) > 1 or any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise DataError(
            f"{path}:{reader.line_num}: cannot be split at {separator!r} ({error}), expected quotes around whole fields"
        ) from None


def first_problem(path: Path, layout: TextLayout, missing: bool, otherwise: str) -> DataError:
    """The error for the first problem of a file, with the number of problems; `otherwise` is the message if no known problem is found."""
    problems = problems_in(path, layout, missing)
    line, problem = next(problems, (0, ""))
    if not problem:
        return DataError(f"{path}: {otherwise}; expected a line of numbers for each user")
    return refusal(f"{path}:{line}: {problem}", 1 + sum(1 for _ in problems))


def problems_in(path: Path, layout: TextLayout, missing: bool) -> Iterator[tuple[int, str]]:
    """All problems of a file: line (from 1) and problem."""
    for line, fields in data_rows(path, layout):
        if len(fields) != layout.width:
            yield line, f"{len(fields)} value(s), expected {layout.width}, as on line {layout.first_line}"
            continue
        ratings = fields[layout.has_users :]
        if missing:
            ratings = [field if field and field.lower().lstrip("+-") != "nan" else "0" for field in ratings]
        if all_numbers(ratings):
            continue
        hint = HEADER_HINT if layout.separator and line == layout.first_line else ""
        for column, field in enumerate(ratings, 1 + layout.has_users):
            if problem := problem_of(field):
                yield line, f"column {column}: {problem}{hint}"


def all_numbers(fields: list[str]) -> bool:
    """Whether numpy accepts all these fields as finite numbers; much faster than `problem_of` for each."""
    if not all(fields):
        return False
    try:
        values = np.loadtxt([",".join(fields)], dtype=np.float32, comments=None, delimiter=",", ndmin=2)
    except ValueError:
        return False
    return values.shape == (1, len(fields)) and bool(np.isfinite(values).all())


def problem_of(field: str) -> str:
    """The problem with a field that should be a finite float32; "" if it is one."""
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
