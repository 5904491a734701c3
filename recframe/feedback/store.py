"""The durable store of decisions and feedback."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import polars as pl
from sqlalchemy import Connection, Engine, func, select

from recframe.feedback import tables
from recframe.feedback.asked import read_asked
from recframe.feedback.catalogue import (
    catalogue_of,
    name_of_catalogue,
    read_catalogue_rows,
    write_catalogue_rows,
    write_name_of_catalogue,
)
from recframe.feedback.database import (
    CATALOGUE_LOCK,
    CATALOGUE_SECONDS,
    create_tables,
    limit_statements,
    lock_until_commit,
    make_engine,
    name_of,
    read_url,
    transaction,
)
from recframe.feedback.errors import FeedbackRefused, StoreError, StoreUnavailable
from recframe.feedback.item_lists import read_item_lists
from recframe.feedback.log import ROW, log_blocks, log_schema
from recframe.feedback.records import RecordedDecision, RecordedFeedback, ShownAt, StoredItem
from recframe.feedback.retention import remove_unneeded_lists
from recframe.feedback.shown import read_shown_at
from recframe.feedback.writes import FeedbackOutcome, write_decisions, write_feedback, write_signals

log = logging.getLogger(__name__)


class FeedbackStore:
    """Decisions of served policies, and what people did with what they were shown. It may be used by several threads and processes.

    What a method records is committed, and on disk, before it returns.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        # how transactions that read (False), or write (True), failed since the last that did not
        self._failures: set[tuple[type[StoreError], bool]] = set()

    @classmethod
    def open(cls, url: str) -> FeedbackStore:
        """Open a store, and create it where there is none.

        url: `sqlite:///path.db` or `postgresql://user@host/name`.

        Raises
        ------
        StoreError: the address is wrong, or the database is none of recframe's.   StoreUnavailable: it does not answer.
        """
        engine = make_engine(read_url(url))
        create_tables(engine)
        return cls(engine)

    def __enter__(self) -> FeedbackStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FeedbackStore {name_of(self.engine)}>"

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def check(self) -> None:
        """Ask the database for an answer.

        Raises
        ------
        StoreUnavailable: it gives none.
        """
        with self._transaction(writes=False) as connection:
            connection.execute(select(1))

    def record_decision(self, decision: RecordedDecision) -> None:
        """Store a decision; see `record_decisions`."""
        self.record_decisions([decision])

    def record_decisions(self, decisions: Sequence[RecordedDecision]) -> None:
        """Store decisions in one transaction; see `record`."""
        self.record(decisions, [])

    def record_feedback(self, feedback: RecordedFeedback) -> bool:
        """Store feedback, exactly once for each key. Returns False where the key was there.

        Raises
        ------
        UnknownRecommendation: there is no such recommendation.
        FeedbackRefused: it does not show the item, or the key is that of other feedback.
        StoreUnavailable: the database does not answer, or cannot write now; it is not stored.
        """
        (outcome,) = self.record([], [feedback])
        if isinstance(outcome, FeedbackRefused):
            raise outcome
        return outcome.stored

    def record(
        self, decisions: Sequence[RecordedDecision], feedbacks: Sequence[RecordedFeedback]
    ) -> list[FeedbackOutcome | FeedbackRefused]:
        """Store decisions and feedback in one transaction. For each feedback: its outcome, or why it was refused, which stops no other.

        A decision that is stored is left as it is, and feedback counts once for each key, so that a call can be repeated.

        Raises
        ------
        StoreUnavailable: the database does not answer, or cannot write now; none of it is stored.
        """
        with self._transaction(writes=True) as connection:
            write_decisions(connection, decisions)
            return write_feedback(connection, feedbacks)

    def shown_at(self, recommendation: str, item: str) -> ShownAt:
        """How an item was shown by a recommendation.

        Raises
        ------
        UnknownRecommendation: there is no such recommendation.   FeedbackRefused: it does not show the item.
        StoreUnavailable: the database does not answer.
        """
        with self._transaction(writes=False) as connection:
            return read_shown_at(connection, recommendation, item)

    def record_signals(self, names: Iterable[str]) -> None:
        """Say which signals the policies know: the log then has a column for each, also before the first feedback."""
        with self._transaction(writes=True) as connection:
            write_signals(connection, sorted(names))

    def signals(self) -> list[str]:
        """The signals that the policies know, in the order of their names."""
        with self._transaction(writes=False) as connection:
            return [name for name in log_schema(connection) if name not in ROW]

    def record_items(self, items: Sequence[StoredItem]) -> None:
        """Store the catalogue in its order, in place of an earlier one; see `record_catalogue`."""
        self.record_catalogue(catalogue_of(items))

    def record_catalogue(self, catalogue: pl.DataFrame, name: str = "") -> None:
        """Store the catalogue in its order, in place of an earlier one. Items that are stored already are not written again.

        catalogue: with the columns of `items_frame`.   name: tells it from other catalogues, see `has_catalogue`.
        """
        with self._transaction(writes=True) as connection:
            limit_statements(connection, CATALOGUE_SECONDS)
            # another process may store its catalogue at the same moment
            lock_until_commit(connection, CATALOGUE_LOCK)
            write_catalogue_rows(connection, catalogue, read_catalogue_rows(connection))
            write_name_of_catalogue(connection, name)

    def has_catalogue(self, name: str) -> bool:
        """Whether the stored catalogue is the one that was stored under this name."""
        with self._transaction(writes=False) as connection:
            return name_of_catalogue(connection) == name

    def items_frame(self) -> pl.DataFrame:
        """The catalogue in its order: `id`, `title`, `text`, `attributes` (JSON), strings, and `added`, a boolean (see `StoredItem`)."""
        with self._reading_all() as connection:
            return read_catalogue_rows(connection)

    def log_frame(self, since: float | None = None, until: float | None = None) -> pl.DataFrame:
        """A row for each shown item, in the order of time, in the layout that `dataset=bandit_log` reads.

        Columns: `recommendation`, `user`, `session`, `timestamp` (unix seconds), `item`, `position` (from 0), `propensity`, `explored`,
        `policy`, `version`; what was asked for, as in `asked_frame`; and one for each signal: its last value, 0 where none came.

        since, until: unix seconds; decisions before the one, and decisions and feedback after the other, are left out.
        """
        with self._reading_all() as connection:
            schema = log_schema(connection)
            blocks = list(log_blocks(connection, schema, since, until))
        return pl.concat(blocks) if blocks else pl.DataFrame(schema=schema)

    def asked_frame(self, since: float | None = None, until: float | None = None) -> pl.DataFrame:
        """A row for each recommendation, in the order of time, with what the policy read, and what the request allowed.

        Columns: `recommendation`, `timestamp`, `session`, `user`, `policy`, `version`, `explored`, `history` (JSON: ids with their
        signals), `profile` and `context` (null: none); `k` (null: what follows is not known), `exploration` (its kind), `candidates` and
        `exclude` (names for `item_lists`), `must_include` and `at_most` (JSON); null where there was none.

        since, until: unix seconds; recommendations before the one and after the other are left out.
        """
        with self._reading_all() as connection:
            return read_asked(connection, since, until)

    def item_lists(self, names: Iterable[str]) -> dict[str, list[str]]:
        """The lists of ids that requests brought, by the names that `asked_frame` and `log_frame` have; without those that were removed."""
        with self._reading_all() as connection:
            return read_item_lists(connection, names)

    def remove_lists(self, before: float, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Remove the lists of ids that no decision since a moment had, in unix seconds, and none of the last hour. Returns their number.

        Of earlier decisions it is then not known among what they chose. Others may record decisions meanwhile, which keep their lists if
        they were made in the last hour.

        goes_on: asked before each part, and may wait, so that others can write; where it says no, the rest is left for another time.
        """
        return remove_unneeded_lists(lambda writes: self._transaction(writes=writes), before, goes_on)

    def feedback_since(self, time: float) -> int:
        """The number of stored reports of feedback since a time, in unix seconds."""
        with self._reading_all() as connection:
            query = select(func.count()).select_from(tables.feedback).where(tables.feedback.c.time >= time)
            return int(connection.execute(query).scalar_one())

    def feedback_about(self, after: float, until: float) -> int:
        """The number of stored reports of feedback about recommendations after one moment, until another, in unix seconds."""
        made, came = tables.recommendations.c, tables.feedback
        query = select(func.count()).select_from(came).join(tables.recommendations, made.recommendation == came.c.recommendation)
        with self._reading_all() as connection:
            return int(connection.execute(query.where(made.time > after, made.time <= until)).scalar_one())

    @contextmanager
    def _reading_all(self) -> Iterator[Connection]:
        """A transaction that reads a whole table, however long that takes."""
        with self._transaction(writes=False) as connection:
            limit_statements(connection, 0)
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        """A transaction, as `recframe.feedback.database.transaction`. It tells the log when the store fails, and when it is back."""
        try:
            with transaction(self.engine, writes=writes) as connection:
                yield connection
        except StoreError as error:
            self._has_failed(writes, error)
            raise
        self._is_there(writes)

    def _has_failed(self, writes: bool, error: StoreError) -> None:
        kind = type(error)
        with self._lock:
            first = kind not in (known for known, _ in self._failures)
            self._failures.add((kind, writes))
        if first and isinstance(error, StoreUnavailable):
            log.warning("the store is away, which is told once: %s", error)
        elif first:
            log.error("the store answers, and fails, which is told once: %s", error)

    def _is_there(self, writes: bool) -> None:
        if not self._failures:
            return
        with self._lock:
            had_failed = bool(self._failures)
            # a database on a full disk can be read: it is back once it can be written
            self._failures = {(kind, wrote) for kind, wrote in self._failures if wrote and not writes}
            back = had_failed and not self._failures
        if back:
            log.warning("the store is back: %s", name_of(self.engine))
