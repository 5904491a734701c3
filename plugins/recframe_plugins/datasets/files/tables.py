"""Opens a table in any format that datasets read: text with separators, JSON lines or Parquet, also in a .gz or .zip file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.delimited import DelimitedTable, header_fields
from recframe_plugins.datasets.files.encodings import byte_order_mark
from recframe_plugins.datasets.files.frames import json_lines_table, parquet_table
from recframe_plugins.datasets.files.malformed_rows import Check
from recframe_plugins.datasets.files.separators import consistent_separator, separator_name
from recframe_plugins.datasets.files.sources import content_of, require_file
from recframe_plugins.datasets.files.text_lines import numbered_lines

__all__ = ["SEQUENCES_HINT", "UNNAMED", "SourceTable", "columns_in_words", "named_column", "open_table", "separator_given"]

logger = logging.getLogger(__name__)

SEQUENCES_HINT = "; if each line is a user's id and then items, use dataset=sequences"
"""The end of messages about a log that is no table, perhaps."""

PARQUET = b"PAR1"
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
PACKED_SUFFIXES = (".gz", ".gzip", ".zip")

UNNAMED = "unnamed_"
"""How the name of a column begins whose heading is empty."""


class SourceTable(Protocol):
    """A table in a file. unit: what rows are counted in, "line" or "row".   unreadable: rows refused: `line`, `reason`, `problem`."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""

    @property
    def unit(self) -> str:
        """What its rows are counted in."""

    @property
    def unreadable(self) -> pl.DataFrame:
        """Rows that were refused when it was opened."""

    def sample(self) -> pl.DataFrame:
        """The first rows, with all columns."""

    def rows(self, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of `line` (from 1) and the `wanted` columns."""

    def checks(self, wanted: Sequence[str], *, hide: bool = False) -> list[Check]:
        """Checks of a row as such. hide: whether messages must not show what is in it."""


def open_table(
    path: Path, setting: str, *, separator: str = "auto", encoding: str = "auto", malformed: str = "error", numbered: bool = False
) -> SourceTable:
    """Open a table. Its format is that of the content: parquet and JSON lines are recognised, everything else is text with separators.

    Parameters
    ----------
    setting: the key that names the file, for messages.
    separator: what is between the fields of text, or "auto": the one of `,` `;` tab `|` `::` and blank that all of the first lines have.
    malformed: see `json_lines_table`.
    numbered: whether the first line holds data, no names: the columns are then `column_1`, `column_2`, ...

    Raises
    ------
    DataError: the file cannot be read, is empty, or has columns of one name.
    """
    require_file(path, setting)
    suffix = next((one.lower() for one in reversed(path.suffixes) if one.lower() not in PACKED_SUFFIXES), "")
    with path.open("rb") as file:
        plain_parquet = file.read(4) == PARQUET
    content = None if plain_parquet else content_of(path)
    if content is None or content.startswith(PARQUET):
        if suffix != ".parquet":
            logger.warning("%s: is a parquet file, whatever its extension, and read as one", path)
        return parquet_table(path, content)
    if suffix == ".parquet":
        raise DataError(f"{path}: is not a parquet file, whatever its extension; a text file is read if it is called .csv, .tsv or .jsonl")
    marked = byte_order_mark(content[:4])
    start = content[:4096].decode(marked or "utf-8", errors="replace").lstrip("\ufeff \r\n\t")
    if start.startswith("{") or suffix in JSON_SUFFIXES:
        if suffix not in JSON_SUFFIXES:
            logger.warning("%s: has JSON objects on its lines, whatever its extension, and is read as JSON lines", path)
        return json_lines_table(path, content, malformed)
    hint = SEQUENCES_HINT if setting == "dataset.interactions" else ""
    return delimited_table(path, content, separator, encoding, numbered=numbered, tabs=suffix in (".tsv", ".tab"), hint=hint)


def delimited_table(
    path: Path, content: bytes, separator: str, encoding: str, *, numbered: bool, tabs: bool, hint: str = ""
) -> DelimitedTable:
    """The table in a text file with separators. hint: what to say of a first line that is no header."""
    lines = numbered_lines(path, content, encoding)
    head = lines.head(20)
    if not head:
        raise DataError(f"{path}: is empty, expected a line with the names of the columns, and rows below it")
    number, first = head[0]
    if separator == "auto":
        separator = consistent_separator([text for _, text in head])
        if tabs and separator != "\t":
            logger.warning("%s: has %s between the fields, whatever its extension", path, separator_name(separator))
    else:
        separator = separator_given(separator)
    columns = header_fields(first, separator)
    if numbered:
        columns = [f"column_{place}" for place in range(1, len(columns) + 1)]
    elif not any(columns):
        raise DataError(f"{path}:{number}: the first line has no names of columns, expected some such as user_id{separator}item_id")
    seen: dict[str, int] = {}
    for place, name in enumerate(columns, 1):
        if name and name in seen:
            # lines of sequences have different lengths
            hint = hint if len({text.count(separator) for _, text in head}) > 1 else ""
            raise DataError(f"{path}:{number}: columns {seen[name]} and {place} have one name, {name!r}; expected two{hint}")
        seen[name] = place
    if numbered is False and len(head) < 2:
        raise DataError(f"{path}: holds only a header ({first}), expected rows below it")
    # a column without a name is one of row numbers that pandas wrote
    columns = [name or f"{UNNAMED}{place}" for place, name in enumerate(columns, 1)]
    # rows are numbered in a column `line`
    columns = ["line_" if name == "line" else name for name in columns]
    return DelimitedTable(path, lines, columns, separator, header=not numbered, literal_quotes=True)


def separator_given(setting: str) -> str:
    """The separator that a setting names: itself, or one of the words tab and blank."""
    return {"tab": "\t", "\\t": "\t", "blank": " "}.get(setting, setting)


def named_column(table: SourceTable, column: str, setting: str) -> str:
    """The name of a column that a setting names: by name, or by number (from 1) in a file without a header.

    Raises
    ------
    DataError: there is none; the message lists the columns.
    """
    if column in table.columns:
        return column
    if f"column_{column}" in table.columns:
        return f"column_{column}"
    where = f"{table.path}:1" if table.unit == "line" else f"{table.path}"
    raise DataError(f"{setting}={column}: {where} has no column {column!r}; its columns are {columns_in_words(table.columns)}")


def columns_in_words(columns: Sequence[str], most: int = 20) -> str:
    """Column names for a message."""
    return ", ".join(columns[:most]) + (f" and {len(columns) - most} more" if len(columns) > most else "")
