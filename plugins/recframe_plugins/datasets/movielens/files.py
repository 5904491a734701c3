"""Reads the movies and ratings files of MovieLens-like data, in either layout, and collects malformed rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.archives import archive_kind, unpack_first
from recframe_plugins.datasets.files.delimited import RAW_LINE
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, MalformedRows, part_rows, quoted
from recframe_plugins.datasets.files.text_lines import read_lines
from recframe_plugins.datasets.movielens.tables import MOVIE_FIELDS, RATING_FIELDS, movielens_table

__all__ = ["LAYOUTS", "MovieLensLayout", "movielens_layout", "read_movies", "read_ratings"]

# "(1995)" at the end of a title; for a series, "(2007-)" or "(2007-2011)", the first year.
YEAR = r"\(([0-9]{4})(?:\s*[-\u2013]\s*(?:[0-9]{4})?\s*)?\)$"


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
    if layout := layout_in(folder):
        return layout
    where = f"dataset.path={folder}"
    if packed := unpack_first(folder, "the folder with its files"):
        raise DataError(f"{where}: {packed}")
    if folder.is_file():
        found = "is a file"
    elif not folder.is_dir():
        found = "there is no such folder"
    elif below := next((child for child in sorted(folder.iterdir()) if child.is_dir() and layout_in(child)), None):
        raise DataError(f"{where}: the files are in its folder {below.name}; give dataset.path={below}")
    else:
        names = [path for layout in LAYOUTS for path in layout.files(folder) if not path.is_file()]
        packed_files = [other.name for path in names for other in sorted(folder.glob(f"{path.name}.*")) if archive_kind(other)]
        found = f"it lacks {', '.join(path.name for path in names)}"
        found += f"; unpack {', '.join(packed_files)}" if packed_files else ""
    raise DataError(
        f"{where}: {found}; expected a folder with movies.dat and ratings.dat ('::' between fields), "
        "or with movies.csv and ratings.csv (comma-separated, with header)"
    )


def layout_in(folder: Path) -> MovieLensLayout | None:
    """The first layout whose two files are in `folder`, or None."""
    return next((layout for layout in LAYOUTS if all(path.is_file() for path in layout.files(folder))), None)


def read_movies(path: Path, layout: MovieLensLayout, encoding: str) -> tuple[pl.DataFrame, MalformedRows]:
    """The items, in the order of the file: `item` (id), `title` (without the year), `year` (int64, may be null), `genres` (list[str])."""
    table, wanted = movielens_table(path, read_lines(path, encoding), MOVIE_FIELDS, header=layout.header)
    checks = [
        *table.checks(wanted),
        Check("empty id", pl.col("movieId") == "", pl.lit("empty item id, expected one such as '1'")),
        Check("empty title", pl.col("title") == "", pl.lit("empty title, expected one such as 'Alien (1979)'")),
    ]
    # read as one frame: the rows are few, and an id can be repeated in another block
    rows, bad = part_rows(pl.concat([EMPTY_MOVIES, *table.rows(wanted)]), checks)
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


def read_ratings(
    path: Path, layout: MovieLensLayout, encoding: str, items: pl.Series, *, hide: bool = False
) -> tuple[pl.DataFrame, MalformedRows]:
    """The ratings, in file order: columns `user` (id), `item` (int64, a row of `items`), `timestamp` (int64), `rating` (float64).

    hide: whether messages must not show the lines, which have the ids of users.
    """
    table, wanted = movielens_table(path, read_lines(path, encoding), RATING_FIELDS, header=layout.header)
    # without timestamps, the order of the rows is that in time
    seconds = pl.col("timestamp").cast(pl.Int64, strict=False) if "timestamp" in wanted else pl.col("line")
    movies_file = f"movies{layout.extension}"
    checks = [
        *table.checks(wanted, hide=hide),
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
            pl.format("timestamp {} is not in unix seconds, expected a whole number such as 978300760", quoted(wanted[-1])),
        ),
    ]
    good, bad = [EMPTY_RATINGS], [EMPTY_REPORT]
    for block in table.rows(wanted):
        rows = block.with_columns(
            item=pl.col("movieId").replace_strict(items, range(len(items)), default=None, return_dtype=pl.Int64),
            value=pl.col("rating").cast(pl.Float64, strict=False),
            seconds=seconds,
        )
        usable, malformed = part_rows(rows, checks)
        good.append(usable.select(user="userId", item="item", timestamp="seconds", rating="value"))
        bad.append(malformed)
    return pl.concat(good), MalformedRows(path, pl.concat(bad))


EMPTY_MOVIES = pl.DataFrame(schema=dict.fromkeys(("line", RAW_LINE, *MOVIE_FIELDS), pl.String) | {"line": pl.Int64})
EMPTY_RATINGS = pl.DataFrame(schema={"user": pl.String, "item": pl.Int64, "timestamp": pl.Int64, "rating": pl.Float64})
