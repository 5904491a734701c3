"""Lists of ids that requests bring, such as candidates: each is stored once, under a name that is made of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, select

from recframe.feedback import tables
from recframe.feedback.database import LISTS_LOCK, lock_until_commit
from recframe.feedback.inserts import insert_new

NAMES_AT_ONCE = 1_000


def _name_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:32]


class ItemLists:
    """The lists of some decisions, on their way to the store."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def name_of(self, items: Sequence[str] | None) -> str | None:
        """The name of a list; None: there is none."""
        if items is None:
            return None
        content = json.dumps(list(items))
        name = _name_of(content)
        self._found[name] = content
        return name

    def write(self, connection: Connection) -> None:
        """Write those that are new, in the order of their names, so that two writers do not wait for each other."""
        if self._found:
            # one that is there already must not be removed before its decision is
            lock_until_commit(connection, LISTS_LOCK, shared=True)
            rows = [{"name": name, "items": self._found[name]} for name in sorted(self._found)]
            connection.execute(insert_new(connection, tables.item_lists), rows)


def read_item_lists(connection: Connection, names: Iterable[str]) -> dict[str, list[str]]:
    """The lists with these names, all in memory."""
    return {name: json.loads(items) for block in item_list_blocks(connection, names) for name, items in block}


def item_list_blocks(connection: Connection, names: Iterable[str]) -> Iterator[list[tuple[str, str]]]:
    """The names and contents (JSON) of the lists with these names, in blocks."""
    wanted, table = sorted(set(names)), tables.item_lists
    for first in range(0, len(wanted), NAMES_AT_ONCE):
        query = select(table.c.name, table.c["items"]).where(table.c.name.in_(wanted[first : first + NAMES_AT_ONCE]))
        yield [(name, items) for name, items in connection.execute(query)]
