"""Reads a table of items or users: an id for each row, and attributes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, MalformedRows, part_rows
from recframe_plugins.datasets.files.tables import UNNAMED, SourceTable
from recframe_plugins.datasets.files.typed import split_lists, typed
from recframe_plugins.datasets.interaction_logs.roles import ID_NAMES, TITLE_NAMES, find_columns
from recframe_plugins.datasets.interaction_logs.values import ids

__all__ = ["read_items", "read_records", "read_users"]

logger = logging.getLogger(__name__)

ID = "made:id"

Convert = Callable[[pl.Series], pl.Series]


def read_items(
    table: SourceTable, given: Mapping[str, str], *, convert: Convert | None = None, checks: Sequence[Check] = ()
) -> tuple[pl.DataFrame, MalformedRows]:
    """One row per item: `id`, `title` (its id where it has none), and the other columns of the table.

    convert, checks: see `read_records`.

    Raises
    ------
    DataError: the column of the ids is not found.
    """
    columns = find_columns(table, {"id": ID_NAMES["item"], "title": TITLE_NAMES}, given, "dataset.item_columns", required=["id"])
    title = columns.get("title")
    # titles such as 1984 and 'this|that' stay text
    made = without_title(convert or default_conversion(table), title)
    rows, malformed = read_records(table, columns["id"], "item", convert=made, checks=checks)
    if title is None:
        logger.warning("%s: no column holds titles, so they are the ids; name one with +dataset.item_columns.title=COLUMN", table.path)
        return with_title(rows, pl.lit(None, pl.String)), malformed
    if rows.schema[title].is_nested() and rows.schema[title] != pl.List(pl.String):
        raise DataError(f"{table.path}: column {title!r} is of type {rows.schema[title]}, expected titles: text")
    value = pl.col(title).list.join(" ") if rows.schema[title].is_nested() else pl.col(title).cast(pl.String)
    untitled = int(rows.select((value.fill_null("").str.strip_chars() == "").sum()).item())
    if untitled:
        logger.warning("%s: %d item(s) have no title; it is their id", table.path, untitled)
    if title != "title" and "title" in rows.columns:
        logger.warning("%s: column title is not used; titles are in %s", table.path, title)
    logger.info("%s: id = %s, title = %s, attributes: %s", table.path, columns["id"], title, attributes_said(rows, title))
    return with_title(rows, value).drop([title] if title != "title" else []), malformed


def without_title(convert: Convert, title: str | None) -> Convert:
    """The conversion of all columns but that of the titles."""
    return lambda column: column if column.name == title else convert(column)


def with_title(rows: pl.DataFrame, title: pl.Expr) -> pl.DataFrame:
    """The rows with `title` next to `id`, which stands for missing ones."""
    text = title.str.strip_chars()
    titled = rows.with_columns(pl.when(text != "").then(text).otherwise("id").alias("title"))
    return titled.select("id", "title", pl.exclude("id", "title"))


def attributes_said(rows: pl.DataFrame, title: str) -> str:
    """The attributes and their types, for the log."""
    return ", ".join(f"{name} ({dtype})" for name, dtype in rows.schema.items() if name not in ("id", title)) or "none"


def read_users(
    table: SourceTable, given: Mapping[str, str], *, hide: bool, convert: Convert | None = None, checks: Sequence[Check] = ()
) -> tuple[pl.DataFrame, MalformedRows]:
    """One row per user: `id`, and the other columns of the table.

    hide: whether messages must not show ids.   convert, checks: see `read_records`.

    Raises
    ------
    DataError: the column of the ids is not found.
    """
    columns = find_columns(table, {"id": ID_NAMES["user"]}, given, "dataset.user_columns", required=["id"])
    rows, malformed = read_records(table, columns["id"], "user", hide=hide, convert=convert, checks=checks)
    logger.info("%s: id = %s, attributes: %s", table.path, columns["id"], attributes_said(rows, ""))
    return rows, malformed


def read_records(
    table: SourceTable, id_column: str, kind: str, *, hide: bool = False, convert: Convert | None = None, checks: Sequence[Check] = ()
) -> tuple[pl.DataFrame, MalformedRows]:
    """The rows of a table with distinct ids, and the others.

    Of the other columns, text is read as numbers or as lists between '|' where its values are such; nested values are left out.

    kind: "item" or "user", for messages.   hide: whether they must not show ids.   checks: further ones, of the columns as the file has
    them.   convert: makes an attribute of a column of text, if the table says itself what it holds.
    """
    where = str(table.path)
    # one frame, as an id can be repeated in another block
    rows = pl.concat(list(table.rows(table.columns)), how="vertical_relaxed")
    rows = rows.with_columns(ids(id_column, rows.schema[id_column], where).alias(ID))
    shape = part_rows(rows, [*table.checks(table.columns, hide=hide), repeated_header(table, rows), *checks])
    problem = pl.lit(f"column {id_column!r}: empty {kind} id, expected one such as '1'")
    named = part_rows(shape[0], [Check("empty id", pl.col(ID).is_null(), problem)])
    shown = pl.lit("this id") if hide else pl.format("'{}'", ID)
    problem = pl.format(f"{kind} {{}} is already on {table.unit} {{}}, expected each id once", shown, "first")
    once, repeated = part_rows(
        named[0].with_columns(first=pl.col("line").first().over(ID)),
        [Check(f"duplicate {kind} id", pl.col("line") != pl.col("first"), problem)],
    )
    report = pl.concat([EMPTY_REPORT, table.unreadable, shape[1], named[1], repeated]).sort("line")
    attributes = once.select(
        pl.col(ID).alias("id"), *(pl.col(name) for name in table.columns if name not in (id_column, "id") and not name.startswith(UNNAMED))
    )
    return plain_columns(table, attributes, convert or default_conversion(table)), MalformedRows(table.path, report, table.unit)


def repeated_header(table: SourceTable, rows: pl.DataFrame) -> Check:
    """The check for the header in the middle of a table."""
    strings = [name for name in table.columns if rows.schema[name] == pl.String]
    again = pl.all_horizontal(pl.col(name) == name for name in strings) if len(strings) > 1 else pl.lit(False)
    return Check("repeated header", again if table.unit == "line" else pl.lit(False), pl.lit("is the header again, expected a row"))


def plain_columns(table: SourceTable, rows: pl.DataFrame, convert: Convert) -> pl.DataFrame:
    """The rows with columns of plain values and lists of them only, and those of text converted."""
    dropped = [name for name, dtype in rows.schema.items() if not usable(dtype)]
    if dropped:
        logger.warning("%s: %d column(s) hold nested values, which are not used: %s", table.path, len(dropped), ", ".join(dropped))
    return rows.select(
        column if column.name == "id" or column.dtype != pl.String else convert(without_blanks(column)) for column in rows.drop(dropped)
    )


def usable(dtype: pl.DataType) -> bool:
    """Whether attributes may have this type."""
    return not dtype.is_nested() or (isinstance(dtype, pl.List) and not dtype.inner.is_nested())


def without_blanks(column: pl.Series) -> pl.Series:
    """A column of text with null for empty values."""
    return column.set(column.str.strip_chars() == "", None)


def default_conversion(table: SourceTable) -> Convert:
    """What makes an attribute of a column of text: text files have no types of their own, so numbers are found out."""
    if hasattr(table, "separator"):
        return lambda column: split_lists(typed(column))
    return split_lists
