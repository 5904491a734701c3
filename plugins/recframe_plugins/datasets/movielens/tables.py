"""The rows of a movies or ratings file: its header, its separator, and its lines as fields."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import Check, quoted
from recframe_plugins.datasets.files.quoted_fields import join_quoted_lines, split_quoted
from recframe_plugins.datasets.files.separators import separator_name, separator_of
from recframe_plugins.datasets.files.text_lines import NumberedLines

__all__ = ["MOVIE_FIELDS", "RATING_FIELDS", "Table", "movielens_table"]

logger = logging.getLogger(__name__)

MOVIE_FIELDS = ("movieId", "title", "genres")
RATING_FIELDS = ("userId", "movieId", "rating", "timestamp")
OPTIONAL = ("timestamp",)

# The names of fields as headers of .dat files have them, without case, blanks and underscores.
HEADINGS = {"user", "userid", "item", "itemid", "movie", "movieid", "id", "title", "name", "genre", "genres", "rating", "timestamp", "time"}


class Table(NamedTuple):
    """How a file is read. columns: the names of its fields, in order.   wanted: those to read.   header: whether its first line is one."""

    path: Path
    lines: NumberedLines
    columns: list[str]
    wanted: list[str]
    separator: str
    header: bool

    def rows(self) -> Iterator[pl.DataFrame]:
        """Frames of `line` (from 1), `text` and the `wanted` fields, stripped; all null for another number of fields."""
        blocks = (block.filter(pl.col("line") > 1) if self.header else block for block in self.lines.blocks())
        if self.separator == "::":
            yield from map(self._split, blocks)
        elif b'"' in self.lines.content:
            size = len(self.columns)
            for rows in join_quoted_lines(blocks, self.separator, size, self.lines.undecodable):
                yield self._named(rows, split_quoted(rows["text"], self.separator, size))
        else:
            yield from map(self._split, blocks)

    def checks(self) -> list[Check]:
        """Checks of a line before its fields are read."""
        shape = f"is not {len(self.columns)} fields, expected {self.separator.join(self.columns)}"
        return [
            Check(
                "undecodable bytes",
                pl.col("line").is_in(self.lines.undecodable),
                pl.lit("bytes that are not UTF-8, expected UTF-8 (or dataset.encoding=latin-1)"),
            ),
            Check("wrong number of fields", pl.col(self.wanted[0]).is_null(), pl.format("{} {}", quoted("text"), pl.lit(shape))),
        ]

    def _split(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The fields of lines without quotes."""
        size = len(self.columns)
        if self.columns == list(MOVIE_FIELDS) and self.separator == "::":
            # a title can contain the separator: the id ends at the first one, the genres start after the last one
            return self._named(rows, rows["text"].str.extract_groups("^(.*?)::(.*)::(.*)$").struct.unnest().get_columns())
        # one additional field shows whether a line has too many
        fields = rows["text"].str.split_exact(self.separator, size).struct.unnest().get_columns()
        complete = fields[size - 1].is_not_null() & fields[size].is_null()
        return self._named(rows, [field.set(~complete, None) for field in fields[:size]])

    def _named(self, rows: pl.DataFrame, fields: Sequence[pl.Series]) -> pl.DataFrame:
        """`rows` with the wanted ones of their `fields`, stripped."""
        chosen = [fields[self.columns.index(name)].str.strip_chars().alias(name) for name in self.wanted]
        return rows.select("line", "text").with_columns(chosen)


def movielens_table(path: Path, lines: NumberedLines, fields: Sequence[str], *, header: bool) -> Table:
    """How to read a file with these `fields`: in any order below a header, or in this order between '::'.

    A `timestamp` may be missing. The log says what is unusual: no timestamps, a header where none is expected, or another separator.

    Raises
    ------
    DataError: the header lacks a wanted name.
    """
    separator = separator_of(lines.first) if header else "::"
    if header:
        columns = [name.strip() for name in next(csv.reader([lines.first], delimiter=separator), [])]
        if separator != ",":
            logger.info("%s: %s are between the fields, not ','", path, separator_name(separator))
    else:
        columns, header = list(fields), has_header(lines.first)
        if header:
            logger.warning("%s:1: left out as a header: %s", path, lines.first)
        if fields[-1] in OPTIONAL and lines.first.count(separator) == len(fields) - 2:
            columns.remove(fields[-1])
    lacking = [name for name in fields if name not in columns and name not in OPTIONAL]
    if lacking:
        raise DataError(f"{path}:1: the header {lines.first!r} lacks {', '.join(lacking)}; expected {','.join(fields)} in any order")
    wanted = [name for name in fields if name in columns]
    if "timestamp" in fields and "timestamp" not in wanted:
        logger.warning("%s: has no timestamps; the order of its rows stands for the order in time", path)
    return Table(path, lines, columns, wanted, separator, header)


def has_header(first_line: str) -> bool:
    """Whether the first line of a file without a header is one all the same: names of fields where ids are expected."""
    return all(name.strip().lower().replace("_", "").replace(" ", "") in HEADINGS for name in first_line.split("::"))
