"""The rows of a movies or ratings file: its header, its separator, and its lines as fields."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.delimited import DelimitedTable, header_fields
from recframe_plugins.datasets.files.separators import separator_name, separator_of
from recframe_plugins.datasets.files.text_lines import NumberedLines

__all__ = ["MOVIE_FIELDS", "RATING_FIELDS", "MovieLensTable", "movielens_table"]

logger = logging.getLogger(__name__)

MOVIE_FIELDS = ("movieId", "title", "genres")
RATING_FIELDS = ("userId", "movieId", "rating", "timestamp")
OPTIONAL = ("timestamp",)

# The names of fields as headers of .dat files have them, without case, blanks and underscores.
HEADINGS = {"user", "userid", "item", "itemid", "movie", "movieid", "id", "title", "name", "genre", "genres", "rating", "timestamp", "time"}


class MovieLensTable(DelimitedTable):
    """A movies or ratings file."""

    def split(self, text: pl.Series) -> list[pl.Series]:
        """The fields of lines without quotes; a title between '::' can contain that separator."""
        if self.columns == list(MOVIE_FIELDS) and self.separator == "::":
            # the id ends at the first one, the genres start after the last one
            return text.str.extract_groups("^(.*?)::(.*)::(.*)$").struct.unnest().get_columns()
        return super().split(text)


def movielens_table(path: Path, lines: NumberedLines, fields: Sequence[str], *, header: bool) -> tuple[MovieLensTable, list[str]]:
    """How to read a file with these `fields`: in any order below a header, or in this order between '::'; and the fields that it has.

    A `timestamp` may be missing. The log says what is unusual: no timestamps, a header where none is expected, or another separator.

    Raises
    ------
    DataError: the header lacks a wanted name.
    """
    separator = separator_of(lines.first) if header else "::"
    if header:
        columns = header_fields(lines.first, separator)
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
    return MovieLensTable(path, lines, columns, separator, header), wanted


def has_header(first_line: str) -> bool:
    """Whether the first line of a file without a header is one all the same: names of fields where ids are expected."""
    return all(name.strip().lower().replace("_", "").replace(" ", "") in HEADINGS for name in first_line.split("::"))
