"""The file of lists, such as candidates, beside an exported log. Imports no database library."""

from __future__ import annotations

from pathlib import Path

import polars as pl

COLUMNS = ("name", "items")
"""Of the file; `items` is JSON."""


def lists_path(log: Path) -> Path:
    """The file of the lists of a log: `NAME.lists.csv` of `NAME.csv`."""
    return log.with_name(f"{log.stem}.lists{log.suffix}")


def is_file_of_lists(path: Path) -> bool:
    """Whether a file is one of lists: another one of such a name is somebody's own."""
    try:
        return tuple(_scan(path).collect_schema().names()) == COLUMNS
    except (OSError, pl.exceptions.PolarsError):
        return False


def read_lists(path: Path) -> pl.DataFrame:
    """The lists in a file: `name`, and `items`, a list of ids.   path: a file of lists."""
    items = pl.col("items").str.json_decode(pl.List(pl.String))
    return _scan(path).select(pl.col("name"), items).collect()


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, schema_overrides=dict.fromkeys(COLUMNS, pl.String)) if path.suffix == ".csv" else pl.scan_parquet(path)
