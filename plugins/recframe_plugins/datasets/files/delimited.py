"""Tables in text files with a separator between the fields, as frames of numbered rows."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, quoted
from recframe_plugins.datasets.files.quoted_fields import join_quoted_lines, split_quoted
from recframe_plugins.datasets.files.text_lines import NumberedLines

__all__ = ["RAW_LINE", "DelimitedTable", "header_fields"]

logger = logging.getLogger(__name__)

SAMPLE_BYTES = 1 << 18

RAW_LINE = "raw line"
"""The column with the whole line, in the frames of rows; files have columns called `text`."""


@dataclass(frozen=True)
class DelimitedTable:
    """How a text file is read. columns: the names of its fields, in order.   header: whether its first line is one.

    literal_quotes: whether a line whose quotes do not enclose fields is split at every separator, its quotes as they are; otherwise it is
    a malformed row.
    """

    path: Path
    lines: NumberedLines
    columns: list[str]
    separator: str
    header: bool
    literal_quotes: bool = False

    unit = "line"
    unreadable = EMPTY_REPORT

    def sample(self) -> pl.DataFrame:
        """The first rows, with all columns."""
        start = self.lines.content[:SAMPLE_BYTES]
        if len(start) < len(self.lines.content):
            start = start[: start.rfind(b"\n") + 1] or self.lines.content
        return pl.concat(replace(self, lines=self.lines._replace(content=start)).rows(self.columns))

    def rows(self, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Frames of `line` (from 1), `RAW_LINE` and the `wanted` fields, stripped; all null for another number of fields."""
        first = self.lines.first_number if self.header else 0
        blocks = (block.filter(pl.col("line") > first) for block in self.lines.blocks())
        if len(self.separator) == 1 and b'"' in self.lines.content:
            size = len(self.columns)
            for rows in join_quoted_lines(blocks, self.separator, size, self.lines.undecodable):
                yield self.named(rows, self._unquoted(rows), wanted)
        else:
            for rows in blocks:
                yield self.named(rows, self.split(rows["text"]), wanted)

    def checks(self, wanted: Sequence[str], *, hide: bool = False) -> list[Check]:
        """Checks of a line before its fields are read. hide: whether messages must not show what is in a line."""
        names = self.separator.join(self.columns) if len(self.columns) <= 12 else f"{self.separator.join(self.columns[:11])}..."
        shape = f"is not {len(self.columns)} fields, expected {names}"
        problem = pl.lit(f"the line {shape}") if hide else pl.format("{} {}", quoted(RAW_LINE), pl.lit(shape))
        return [
            Check(
                "undecodable bytes",
                pl.col("line").is_in(self.lines.undecodable),
                pl.lit("bytes that are not UTF-8, expected UTF-8 (or dataset.encoding=latin-1)"),
            ),
            Check("wrong number of fields", pl.col(wanted[0]).is_null(), problem),
        ]

    def split(self, text: pl.Series) -> list[pl.Series]:
        """The fields of lines without quotes; all null for another number of fields."""
        size = len(self.columns)
        # one additional field shows whether a line has too many
        fields = text.str.split_exact(self.separator, size).struct.unnest().get_columns()
        complete = fields[size - 1].is_not_null() & fields[size].is_null()
        return fields[:size] if complete.all() else [field.set(~complete, None) for field in fields[:size]]

    def named(self, rows: pl.DataFrame, fields: Sequence[pl.Series], wanted: Sequence[str]) -> pl.DataFrame:
        """`rows` with the wanted ones of their `fields`, stripped."""
        chosen = [fields[self.columns.index(name)].str.strip_chars().alias(name) for name in wanted]
        return rows.select("line", pl.col("text").alias(RAW_LINE)).with_columns(chosen)

    def _unquoted(self, rows: pl.DataFrame) -> list[pl.Series]:
        """The fields of records of which some have quotes: only those are matched with a pattern, which is slow."""
        text, size = rows["text"], len(self.columns)
        fields = self.split(text)
        with_quotes = text.str.contains('"', literal=True)
        if not with_quotes.any():
            return fields
        numbers = with_quotes.arg_true()
        matched = split_quoted(text.filter(with_quotes), self.separator, size)
        if self.literal_quotes:
            literal = [field.gather(numbers) for field in fields]
            unmatched = matched[0].is_null() & literal[0].is_not_null()
            if unmatched.any():
                line = rows["line"].gather(numbers).filter(unmatched)
                logger.warning(
                    "%s: %d line(s) have quotes that do not enclose a field, which are read as they are; the first is line %d",
                    self.path,
                    len(line),
                    line[0],
                )
                matched = [simple.zip_with(unmatched, one) for simple, one in zip(literal, matched, strict=True)]
        return [field.scatter(numbers, one) for field, one in zip(fields, matched, strict=True)]


def header_fields(line: str, separator: str) -> list[str]:
    """The names in a header, unquoted and stripped."""
    names = line.split(separator) if len(separator) > 1 else next(csv.reader([line], delimiter=separator), [])
    return [name.strip() for name in names]
