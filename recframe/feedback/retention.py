"""Removes lists of ids that no recent request needs: each request may bring another one, of thousands of ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Select, delete, except_, select, union

from recframe.feedback import tables
from recframe.feedback.database import LISTS_LOCK, limit_statements, lock_until_commit
from recframe.feedback.list_ages import DAY, LEAST_DAYS

LOOKED_UP_AT_ONCE = 50_000
"""Names that are in memory at once."""

REMOVED_AT_ONCE = 200
"""Lists that are removed in one transaction, for which others wait: of 10,000 ids each, some 20 MB."""

LOOKUP_SECONDS = 600
"""After how long PostgreSQL gives up looking for names: a search that takes longer would hold back its clean-up of all tables."""

Transaction = Callable[[bool], AbstractContextManager[Connection]]
"""Opens a transaction that writes, or not."""


def remove_unneeded_lists(transaction: Transaction, before: float, goes_on: Callable[[], bool]) -> int:
    """Remove the lists that no decision since a moment had, and none of the last hour. Returns their number.

    Decisions may be written meanwhile, by whatever process. They keep their lists unless they were made more than an hour ago.

    before: unix seconds.   goes_on: asked before each part; where it says no, the rest is left for another time.
    """
    recent = time.time() - DAY * LEAST_DAYS
    needed_since = min(before, recent)
    removed = 0
    while names := _unneeded(transaction, needed_since):
        removed_before = removed
        for first in range(0, len(names), REMOVED_AT_ONCE):
            if not goes_on():
                return removed
            removed += _remove(transaction, names[first : first + REMOVED_AT_ONCE], recent)
        if len(names) < LOOKED_UP_AT_ONCE or removed == removed_before:
            break
    return removed


def _unneeded(transaction: Transaction, moment: float) -> list[str]:
    """Some names of lists that no decision since a moment had; all of them, if they are fewer than `LOOKED_UP_AT_ONCE`."""
    with transaction(False) as connection:
        limit_statements(connection, LOOKUP_SECONDS)
        names = except_(select(tables.item_lists.c.name), *_needed_since(moment)).limit(LOOKED_UP_AT_ONCE)
        return list(connection.execute(names).scalars())


def _remove(transaction: Transaction, names: Sequence[str], recent: float) -> int:
    """Remove those of the lists that no decision has that was written since they were looked up."""
    with transaction(True) as connection:
        lock_until_commit(connection, LISTS_LOCK)
        needed = set(connection.execute(union(*_needed_since(recent))).scalars())
        gone = sorted(set(names) - needed)
        connection.execute(delete(tables.item_lists).where(tables.item_lists.c.name.in_(gone)))
    return len(gone)


def _needed_since(moment: float) -> list[Select[Any]]:
    """The names of the lists of all decisions since a moment: of their candidates, and of their exclusions."""
    made = tables.recommendations.c
    return [select(role).where(made.time >= moment, role.is_not(None)) for role in (made.candidates, made.exclude)]
