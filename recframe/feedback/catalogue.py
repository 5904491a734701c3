"""Reads and writes the catalogue of a store within a transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl
from sqlalchemy import Connection, delete, select

from recframe.feedback import tables
from recframe.feedback.frames import ROWS_AT_ONCE, read_frame
from recframe.feedback.records import StoredItem

COLUMNS = {"id": pl.String, "title": pl.String, "text": pl.String, "attributes": pl.String, "added": pl.Boolean}
"""The columns of a catalogue; `attributes` is JSON."""


def catalogue_of(items: Sequence[StoredItem]) -> pl.DataFrame:
    """Items as a catalogue, with `COLUMNS`."""
    rows = [(one.id, one.title, one.text, json.dumps(dict(one.attributes)), one.added) for one in items]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def read_catalogue_rows(connection: Connection) -> pl.DataFrame:
    """The stored catalogue in its order, with `COLUMNS`."""
    table = tables.items
    query = select(*(table.c[name] for name in COLUMNS)).order_by(table.c.row)
    return read_frame(connection, query, COLUMNS)


def write_catalogue_rows(connection: Connection, catalogue: pl.DataFrame, stored: pl.DataFrame) -> None:
    """Write a catalogue in place of the `stored` one. If it only continues that, what is new is written, and nothing else."""
    start = stored.height
    if not catalogue.head(start).equals(stored):
        connection.execute(delete(tables.items))
        start = 0
    numbered = catalogue.with_row_index("row")
    for first in range(start, catalogue.height, ROWS_AT_ONCE):
        connection.execute(tables.items.insert(), numbered.slice(first, ROWS_AT_ONCE).to_dicts())


def name_of_catalogue(connection: Connection) -> str | None:
    """The name under which the catalogue was stored."""
    about = tables.about
    found: str | None = connection.execute(select(about.c.value).where(about.c.name == "catalogue")).scalar()
    return found


def write_name_of_catalogue(connection: Connection, name: str) -> None:
    """Note the name of the catalogue."""
    about = tables.about
    connection.execute(delete(about).where(about.c.name == "catalogue"))
    connection.execute(about.insert().values(name="catalogue", value=name))
