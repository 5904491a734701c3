"""The INSERT that both kinds of databases have, each in its own dialect."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table) -> Any:
    """An INSERT that leaves out rows whose key is there."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()
