"""Reads a table of item titles and other attributes, in the order of the columns of a rating matrix."""

from __future__ import annotations

import io
import re
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.separators import separator_of
from recframe_plugins.datasets.files.text_lines import read_lines
from recframe_plugins.datasets.files.typed import typed
from recframe_plugins.datasets.rating_matrix.binary_files import open_parquet
from recframe_plugins.datasets.rating_matrix.matrix import first_repeated
from recframe_plugins.datasets.rating_matrix.text_files import separated_rows
from recframe_plugins.datasets.text_template import text_columns

__all__ = ["read_item_table"]

LINE_END = re.compile(r"\s*\n\s*")


def read_item_table(path: Path) -> pl.DataFrame:
    """One row per item, with a column `title` of strings, none of them blank.

    A .csv or .parquet file has that column and may have others (in a csv file, columns of only integers or numbers are converted to them,
    and empty fields to null); a .txt file has one title per line.

    Raises
    ------
    DataError: the file cannot be used; the message names the line or row, or the expected kind of file.
    """
    readers = {".csv": read_csv_items, ".parquet": read_parquet_items, ".txt": read_titles}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"dataset.items={path}: unknown kind of file, expected {', '.join(readers)}")
    if not path.is_file():
        raise DataError(f"dataset.items={path}: there is no such file")
    return reader(path)


def read_csv_items(path: Path) -> pl.DataFrame:
    """The table in a csv file with a header."""
    text = decoded(path)
    separator = separator_of(text.lstrip().partition("\n")[0])
    try:
        rows = list(separated_rows(path, io.StringIO(text, newline=""), separator))
    except DataError:
        if '\\"' not in text:
            raise
        rows = list(separated_rows(path, io.StringIO(text, newline=""), separator, escape="\\"))
    (_, header), *body = rows or [(1, [])]
    check_has_title(f"{path}:1", header)
    if repeated := first_repeated(header):
        raise DataError(f"{path}:1: columns {repeated[0] + 1} and {repeated[1] + 1} have one name, {header[repeated[0]]!r}; expected two")
    for line, fields in body:
        if len(fields) != len(header):
            raise DataError(f"{path}:{line}: {len(fields)} field(s), expected {len(header)}: {','.join(header)}")
        if not fields[header.index("title")]:
            raise DataError(f"{path}:{line}: the title is empty, expected one for every item")
    # a title of several lines is one of several words
    rows_of_table = [[LINE_END.sub(" ", field) for field in fields] for _, fields in body]
    table = pl.DataFrame(rows_of_table, dict.fromkeys(header, pl.String), orient="row")
    return table.select(column if column.name == "title" else typed(column.replace("", None)) for column in table)


def read_parquet_items(path: Path) -> pl.DataFrame:
    """The table in a parquet file."""
    table = open_parquet(path)
    check_has_title(str(path), table.columns)
    if "title" not in text_columns(table) or isinstance(table.schema["title"], pl.List):
        raise DataError(f"{path}: column 'title' is of type {table.schema['title']}, expected text")
    table = table.with_columns(pl.col("title").cast(pl.String).str.strip_chars())
    empty = table.select((pl.col("title").fill_null("") == "").arg_true())["title"]
    if len(empty):
        raise DataError(f"{path}: row {empty[0] + 1}: the title is empty, expected one for every item")
    return table


def read_titles(path: Path) -> pl.DataFrame:
    """The titles in a file with one title per line."""
    titles = pl.Series("title", decoded(path).rstrip().split("\n"), dtype=pl.String).str.strip_chars()
    empty = (titles == "").arg_true()
    if len(empty):
        raise DataError(f"{path}:{empty[0] + 1}: the line is empty, expected a title on every line")
    return titles.to_frame()


def decoded(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    DataError: lines have different encodings; the message names the first line that differs.
    """
    lines = read_lines(path, "auto")
    if lines.undecodable:
        raise DataError(f"{path}:{lines.undecodable[0]}: bytes that are not UTF-8, expected UTF-8 or latin-1 throughout")
    return lines.content.decode()


def check_has_title(where: str, columns: list[str]) -> None:
    """Refuse a table without a column of titles."""
    if "title" not in columns:
        raise DataError(f"{where}: lacks the column 'title'; the columns are {', '.join(columns) or 'none'}")
