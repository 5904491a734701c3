"""Removes lists of ids that no recent request needs: each request may bring another one, of thousands of ids."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Select, delete, except_, select, union

from recframe.feedback import tables
from recframe.feedback.database import LISTS_LOCK, limit_statements, lock_until_commit

LISTS_AT_ONCE = 200
"""Lists that are removed in one transaction, for which others wait: of 10,000 ids each, some 20 MB."""

LATE_SECONDS = 3600.0
"""How much earlier than it is written a decision may be made, by the clock of whoever made it."""

Transaction = Callable[[bool], AbstractContextManager[Connection]]
"""Opens a transaction that writes, or not."""


def remove_unneeded_lists(transaction: Transaction, before: float, goes_on: Callable[[], bool]) -> int:
    """Remove the lists that no decision since a moment had. Returns their number.

    A decision that is written meanwhile keeps its lists, by whatever process.

    before: unix seconds.   goes_on: asked before each part; where it says no, the rest is left for another time.
    """
    recent = max(before, time.time() - LATE_SECONDS)
    with transaction(False) as connection:
        limit_statements(connection, 0)
        names = list(connection.execute(except_(select(tables.item_lists.c.name), *_needed_since(before))).scalars())
    removed = 0
    for first in range(0, len(names), LISTS_AT_ONCE):
        if not goes_on():
            break
        removed += _remove(transaction, names[first : first + LISTS_AT_ONCE], recent)
    return removed


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
