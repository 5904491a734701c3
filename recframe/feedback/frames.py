"""The rows of a query as a table, read in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection, Select

ROWS_AT_ONCE = 10_000


def read_frame(connection: Connection, query: Select[Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    """The rows of a query, whose columns are those of the schema, in its order."""
    # an option of this query only: with a connection's, PostgreSQL would be asked for a cursor of what is written later, too
    blocks = connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}).partitions()
    frames = [pl.DataFrame([tuple(row) for row in block], schema=dict(schema), orient="row") for block in blocks]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(schema))
