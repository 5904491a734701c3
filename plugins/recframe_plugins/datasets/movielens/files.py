"""Reads the movies and ratings files of MovieLens-like data, in either layout, and collects malformed rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import Check, MalformedRows, part_rows, quoted
from recframe_plugins.datasets.files.text_lines import NumberedLines, read_lines

__all__ = ["LAYOUTS", "MovieLensLayout", "movielens_layout", "read_movies", "read_ratings"]

MOVIE_FIELDS = ("movieId", "title", "genres")
RATING_FIELDS = ("userId", "movieId", "rating", "timestamp")

# "(1995)" at the end of a title; for a series, "(2007-)" or "(2007-2011)", the first year.
YEAR = r"\(([0-9]{4})(?:\s*[-\u2013]\s*(?:[0-9]{4})?\s*)?\)$"
CSV_FIELD = r'("(?:[^"]|"")*"|[^",][^,]*|)'


@dataclass(frozen=True)
class MovieLensLayout:
    """A file layout of movies and ratings: the extension, the field separator, and whether there is a header."""

    extension: str
    separator: str
    header: bool

    def files(self, folder: Path) -> tuple[Path, Path]:
        """The paths of the movies file and the ratings file."""
        return folder / f"movies{self.extension}", folder / f"ratings{self.extension}"


LAYOUTS = (MovieLensLayout(".dat", "::", header=False), MovieLensLayout(".csv", ",", header=True))


def movielens_layout(folder: Path) -> MovieLensLayout:
    """The layout whose two files are in `folder`; the first of `LAYOUTS` if both are.

    Raises
    ------
    DataError: the folder has the files of neither layout.
    """
    for layout in LAYOUTS:
        if all(path.is_file() for path in layout.files(folder)):
            return layout
    if not folder.is_dir():
        found = "there is no such folder"
    else:
        lacking = [path.name for layout in LAYOUTS for path in layout.files(folder) if not path.is_file()]
        found = f"it lacks {', '.join(lacking)}"
    raise DataError(
        f"dataset.path={folder}: {found}; expected a folder with movies.dat and ratings.dat ('::' between fields), "
        "or with movies.csv and ratings.csv (comma-separated, with header)"
    )


def read_movies(path: Path, layout: MovieLensLayout, encoding: str) -> tuple[pl.DataFrame, MalformedRows]:
    """The items, in the order of the file: `item` (id), `title` (without the year), `year` (int64, may be null), `genres` (list[str])."""
    lines = read_lines(path, encoding)
    columns = named_columns(path, lines, layout, MOVIE_FIELDS)
    checks = [
        *text_checks(lines, layout, columns, MOVIE_FIELDS),
        Check("empty id", pl.col("movieId") == "", pl.lit("empty item id, expected one such as '1'")),
        Check("empty title", pl.col("title") == "", pl.lit("empty title, expected one such as 'Alien (1979)'")),
    ]
    # read as one frame: the rows are few, and an id can be repeated in another block
    rows = pl.concat([EMPTY_LINES, *lines.blocks()])
    rows, bad = part_rows(split_fields(rows, layout, columns, MOVIE_FIELDS), checks)
    rows, repeated = part_rows(
        rows.with_columns(first_line=pl.col("line").first().over("movieId")),
        [
            Check(
                "duplicate item id",
                pl.col("line") != pl.col("first_line"),
                pl.format("item {} is already on line {}, expected each id once", quoted("movieId"), "first_line"),
            )
        ],
    )
    title = pl.col("title").str.replace(r"\s*" + YEAR, "")
    items = rows.select(
        item="movieId",
        title=pl.when(title == "").then("title").otherwise(title),
        year=pl.col("title").str.extract(YEAR).cast(pl.Int64),
        genres=pl.col("genres")
        .replace("(no genres listed)", "")
        .str.split("|")
        .list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != "")),
    )
    return items, MalformedRows(path, pl.concat([bad, repeated]).sort("line"))


def read_ratings(path: Path, layout: MovieLensLayout, encoding: str, items: pl.Series) -> tuple[pl.DataFrame, MalformedRows]:
    """The ratings, in file order: columns `user` (id), `item` (int64, a row of `items`), `timestamp` (int64), `rating` (float64)."""
    lines = read_lines(path, encoding)
    columns = named_columns(path, lines, layout, RATING_FIELDS)
    movies_file = f"movies{layout.extension}"
    checks = [
        *text_checks(lines, layout, columns, RATING_FIELDS),
        Check("empty id", pl.col("userId") == "", pl.lit("empty user id, expected one such as '1'")),
        Check("empty id", pl.col("movieId") == "", pl.lit("empty item id, expected one such as '1'")),
        Check(
            "unknown item",
            pl.col("item").is_null(),
            pl.format("item {} is not in {}, expected an id from there", quoted("movieId"), pl.lit(movies_file)),
        ),
        Check(
            "bad rating",
            pl.col("value").is_null() | ~pl.col("value").is_finite(),
            pl.format("rating {} is not a finite number, expected one such as 3.5", quoted("rating")),
        ),
        Check(
            "bad timestamp",
            pl.col("seconds").is_null() | (pl.col("seconds") < 0),
            pl.format("timestamp {} is not in unix seconds, expected a whole number such as 978300760", quoted("timestamp")),
        ),
    ]
    good, bad = [EMPTY_RATINGS], [EMPTY_REPORT]
    for block in lines.blocks():
        rows = split_fields(block, layout, columns, RATING_FIELDS).with_columns(
            item=pl.col("movieId").replace_strict(items, range(len(items)), default=None, return_dtype=pl.Int64),
            value=pl.col("rating").cast(pl.Float64, strict=False),
            seconds=pl.col("timestamp").cast(pl.Int64, strict=False),
        )
        usable, malformed = part_rows(rows, checks)
        good.append(usable.select(user="userId", item="item", timestamp="seconds", rating="value"))
        bad.append(malformed)
    return pl.concat(good), MalformedRows(path, pl.concat(bad))


EMPTY_LINES = pl.DataFrame(schema={"line": pl.Int64, "text": pl.String})
EMPTY_RATINGS = pl.DataFrame(schema={"user": pl.String, "item": pl.Int64, "timestamp": pl.Int64, "rating": pl.Float64})
EMPTY_REPORT = pl.DataFrame(schema={"line": pl.Int64, "reason": pl.String, "problem": pl.String})


def named_columns(path: Path, lines: NumberedLines, layout: MovieLensLayout, wanted: Sequence[str]) -> list[str]:
    """The names of the columns of a file, from its header if the layout has one.

    Raises
    ------
    DataError: the header lacks a wanted name.
    """
    if not layout.header:
        return list(wanted)
    header = [name.strip() for name in next(csv.reader([lines.first]), [])]
    lacking = [name for name in wanted if name not in header]
    if lacking:
        raise DataError(f"{path}:1: the header {lines.first!r} lacks {', '.join(lacking)}; expected {','.join(wanted)}")
    return header


def text_checks(lines: NumberedLines, layout: MovieLensLayout, columns: Sequence[str], wanted: Sequence[str]) -> list[Check]:
    """Checks of a line before its fields are read."""
    shape = f"is not {len(columns)} fields, expected {layout.separator.join(columns)}"
    return [
        Check(
            "undecodable bytes",
            pl.col("line").is_in(lines.undecodable),
            pl.lit("bytes that are not UTF-8, expected UTF-8 (or dataset.encoding=latin-1)"),
        ),
        Check("wrong number of fields", pl.col(wanted[0]).is_null(), pl.format("{} {}", quoted("text"), pl.lit(shape))),
    ]


def split_fields(rows: pl.DataFrame, layout: MovieLensLayout, columns: Sequence[str], wanted: Sequence[str]) -> pl.DataFrame:
    """`rows` with the `wanted` fields as columns, stripped; all are null if a line has another number of fields."""
    if layout.header:
        rows = rows.filter(pl.col("line") > 1)
    text = pl.col("text")
    if layout.header and rows["text"].str.contains('"', literal=True).any():
        fields = text.str.extract_groups("^" + ",".join([CSV_FIELD] * len(columns)) + "$").struct.rename_fields(columns)
        rows = rows.with_columns(fields.alias("fields")).unnest("fields")
        unquoted = [pl.col(name).str.slice(1, pl.col(name).str.len_chars() - 2).str.replace_all('""', '"', literal=True) for name in wanted]
        return rows.with_columns(
            pl.when(pl.col(name).str.starts_with('"')).then(inside).otherwise(pl.col(name)).str.strip_chars()
            for name, inside in zip(wanted, unquoted, strict=True)
        )
    if tuple(columns) == MOVIE_FIELDS and not layout.header:
        # a title can contain the separator: the id ends at the first one, the genres start after the last one
        fields = text.str.extract_groups("^(.*?)::(.*)::(.*)$").struct.rename_fields(columns)
        return rows.with_columns(fields.alias("fields")).unnest("fields").with_columns(pl.col(*wanted).str.strip_chars())
    # one additional field shows whether a line has too many
    fields = text.str.split_exact(layout.separator, len(columns)).struct.rename_fields([*columns, "surplus"])
    rows = rows.with_columns(fields.alias("fields")).unnest("fields")
    complete = pl.col(columns[-1]).is_not_null() & pl.col("surplus").is_null()
    return rows.with_columns(pl.when(complete).then(pl.col(name).str.strip_chars()) for name in wanted).drop("surplus")
