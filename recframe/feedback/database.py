"""Opens the database of a store: an SQLite file that survives a power cut, or PostgreSQL."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from recframe.feedback import tables
from recframe.feedback.errors import StoreError, StoreUnavailable

log = logging.getLogger(__name__)
EARLIER_LAYOUT = "1"
EXAMPLES = "sqlite:///feedback.db or postgresql://user@host/name"
BUSY_SECONDS = 8
"""How long a writer of an SQLite file waits for another one: less than a request waits for its answer (batch.seconds)."""
STATEMENT_SECONDS = 8
"""After how long PostgreSQL gives up a statement, so that a store that hangs counts as one that is away."""
CATALOGUE_SECONDS = 60
"""The same while a catalogue is stored, which may wait for another process that stores one."""
CONNECT_SECONDS = 5
# several processes may create the tables of one PostgreSQL database at once
CREATION_LOCK = 7_223_372_036_854
# several processes may store their catalogues in one PostgreSQL database at once
CATALOGUE_LOCK = 7_223_372_036_855
# a list must not be removed while a decision that has it is written
LISTS_LOCK = 7_223_372_036_856


def read_url(url: str) -> URL:
    """The address of a database, with the driver that is used.

    Raises
    ------
    StoreError: it is none, or one of another kind.
    """
    try:
        read = make_url(url)
    except ArgumentError:
        raise StoreError(f"feedback.url: this is no address of a database; right is {EXAMPLES}") from None
    if read.get_backend_name() == "sqlite" and read.get_driver_name() == "pysqlite":
        if read.database in (None, "", ":memory:"):
            raise StoreError(f"feedback.url: {url!r} would keep feedback in memory only; right is sqlite:///feedback.db")
        return read
    if read.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return read.set(drivername="postgresql+psycopg")
    raise StoreError(f"feedback.url: a database of the kind {read.drivername!r} is not supported; right is {EXAMPLES}")


def make_engine(url: URL) -> Engine:
    """The engine of an address. Nothing is connected yet.

    Raises
    ------
    StoreError: the database's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    durable = {
        "connect_timeout": CONNECT_SECONDS,
        # a commit is on disk before it is told, whatever the server's default
        "options": f"-c synchronous_commit=on -c statement_timeout={int(STATEMENT_SECONDS * 1000)}",
        # a machine that has gone is noticed
        "tcp_user_timeout": 10_000,
    }
    try:
        return create_engine(url, connect_args=durable, pool_pre_ping=True, pool_timeout=CONNECT_SECONDS, json_serializer=json.dumps)
    except ModuleNotFoundError as error:
        raise StoreError(f"feedback.url: PostgreSQL needs {error.name}: pip install 'recframe[postgres]'") from None


def _set_up_sqlite(connection: Any, record: object) -> None:
    # transactions are begun below; sqlite3's own begin is deferred, so that two writers could fail at their first write
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    """A transaction, which is committed at the end of the block. Readers see one state of the database throughout.

    Raises
    ------
    StoreUnavailable: the database does not answer, or cannot write now.   StoreError: it answers, and fails: its content is
        not a store's, is damaged, or may not be written.
    """
    options: dict[str, Any] = {"writes": writes}
    if engine.dialect.name == "postgresql" and not writes:
        options["isolation_level"] = "REPEATABLE READ"
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise StoreUnavailable(f"{name_of(engine)}: {database_message(error)}") from error
    except DBAPIError as error:
        kind = StoreUnavailable if error.connection_invalidated else StoreError
        raise kind(f"{name_of(engine)}: {database_message(error)}") from error


def limit_statements(connection: Connection, seconds: int) -> None:
    """Let each statement of this transaction take so long in PostgreSQL; 0: without limit. SQLite has no such limit."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL statement_timeout = {seconds * 1000}"))


def lock_until_commit(connection: Connection, lock: int, *, shared: bool = False) -> None:
    """Wait in PostgreSQL until no other transaction holds the lock. In SQLite one transaction writes at a time anyway.

    shared: others may hold it, too, if theirs are also shared.
    """
    if connection.dialect.name == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(text(f"SELECT {function}(:lock)"), {"lock": lock})


def create_tables(engine: Engine) -> None:
    """Create what is missing, bring a store of the earlier layout up to date, and check that the rest is of this layout.

    Raises
    ------
    StoreError: the database holds a store of another layout, or cannot be used.
    """
    with transaction(engine, writes=True) as connection:
        lock_until_commit(connection, CREATION_LOCK)
        for table in tables.metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda one: str(one.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
        layout = connection.execute(select(tables.about.c.value).where(tables.about.c.name == "layout")).scalar()
        if layout is None:
            connection.execute(tables.about.insert().values(name="layout", value=tables.LAYOUT))
        elif layout == EARLIER_LAYOUT:
            _add_asked_columns(connection)
            log.info("%s: the store is brought up to date, from layout %s to %s", name_of(engine), layout, tables.LAYOUT)
        elif layout != tables.LAYOUT:
            raise StoreError(
                f"{name_of(engine)}: a store of layout {layout}, which this version of recframe does not read (it has {tables.LAYOUT})"
            )


def _add_asked_columns(connection: Connection) -> None:
    """Let a store of the earlier layout have what requests asked for, which is not known of those that it has."""
    there = {column["name"] for column in inspect(connection).get_columns(tables.recommendations.name)}
    for name in tables.ASKED_COLUMNS:
        if name not in there:
            column = CreateColumn(tables.recommendations.c[name]).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {tables.recommendations.name} ADD COLUMN {column}"))
    connection.execute(update(tables.about).where(tables.about.c.name == "layout").values(value=tables.LAYOUT))


def name_of(engine: Engine) -> str:
    """The address of a database without its password."""
    return engine.url.render_as_string(hide_password=True)


def database_message(error: SQLAlchemyError) -> str:
    """The first line of what the database said."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__
