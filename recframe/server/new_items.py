"""Items that are added to served policies by their texts, and the catalogue in the store."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from recframe.errors import UserError
from recframe.feedback import StoredItem
from recframe.feedback.catalogue import catalogue_of
from recframe.feedback.store import FeedbackStore
from recframe.server.config import MAIN
from recframe.server.served import ServedPolicies, ServedPolicy
from recframe.serving.query_error import QueryError

log = logging.getLogger(__name__)


class Added(NamedTuple):
    """What became of new items.

    ids: of those that were not there.   taken: the names of the policies that have them.   refused: by name, why a policy has not.
    """

    ids: list[str]
    taken: list[str]
    refused: dict[str, str]


class NewItems:
    """The items that were added while the policies were served. They are kept in the store, and added again to a policy that is swapped in.

    Parameters
    ----------
    policies: that get the items.   store: where the catalogue is kept.

    Raises
    ------
    recframe.errors.UserError: the store does not answer.
    """

    def __init__(self, policies: ServedPolicies, store: FeedbackStore) -> None:
        self.policies = policies
        self.store = store
        self._one_at_a_time = threading.Lock()
        stored = store.items_frame()
        self._entries = {row["id"]: _entry(row) for row in stored.filter("added").iter_rows(named=True)}
        for served in policies:
            self.add_to(served)
        self.store_catalogue()

    def add(self, entries: Sequence[Mapping[str, Any]]) -> Added:
        """Add items to all policies that can take them, and store them.

        entries: each with `id`, `text`, and whatever else is known of it.

        Raises
        ------
        QueryError: no policy can take them.   StoreUnavailable: they were not stored; they will be with the next ones.
        """
        with self._one_at_a_time:
            taken: list[str] = []
            new: dict[str, None] = {}
            refused: dict[str, str] = {}
            for served in self.policies:
                try:
                    new |= dict.fromkeys(self._put(served, entries))
                    taken.append(served.name)
                except UserError as error:
                    refused[served.name] = str(error)
            if not taken:
                raise QueryError(next(iter(refused.values())))
            self._entries |= {str(entry["id"]): dict(entry) for entry in entries if str(entry["id"]) in new}
            self.store_catalogue()
            return Added(list(new), taken, refused)

    def add_to(self, served: ServedPolicy) -> None:
        """Add to a policy those of the items that it does not have."""
        lacking = [entry for item, entry in self._entries.items() if item not in served.rows]
        if not lacking:
            return
        try:
            self._put(served, lacking)
            log.info("%s: %d items that were added before are there again", served.name, len(lacking))
        except UserError as error:
            log.warning("%s: the items that were added before are not there: %s", served.name, error)

    def swap_in(self, served: ServedPolicy) -> None:
        """Let a policy take the place of that of its name, with the items that were added.

        Raises
        ------
        StoreUnavailable: its catalogue could not be stored, and the old one stays.
        """
        with self._one_at_a_time:
            self.add_to(served)
            self.store_catalogue(served)
            self.policies.swap(served)

    def store_catalogue(self, coming: ServedPolicy | None = None) -> None:
        """Store the catalogue of the main policy, and after it what only others have. coming: a policy that is about to be swapped in."""
        policies = [coming if coming is not None and coming.name == one.name else one for one in self.policies]
        policies.sort(key=lambda one: one.name != MAIN)
        # what versions do not tell are the items that no policy takes
        told = json.dumps([[one.version for one in policies], sorted(self._entries)])
        name = hashlib.sha256(told.encode()).hexdigest()
        if not self.store.has_catalogue(name):
            # what was added stays, also where no policy can take it any more
            parts = [*(one.catalogue(self._entries) for one in policies), catalogue_of([_item(one) for one in self._entries.values()])]
            whole = pl.concat(parts).unique("id", keep="first", maintain_order=True)
            self.store.record_catalogue(whole, name)
        self.store.record_signals(self.policies.signals)

    @staticmethod
    def _put(served: ServedPolicy, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        new = served.policy.add_items(entries)
        served.read_catalogue()
        return new


def _item(entry: Mapping[str, Any]) -> StoredItem:
    attributes = {name: value for name, value in entry.items() if name not in ("id", "text", "title")}
    return StoredItem(entry["id"], entry.get("title", entry["text"]), entry["text"], attributes, added=True)


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in json.loads(row["attributes"]).items() if value is not None}
    return {"id": row["id"], "text": row["text"], "title": row["title"], **attributes}
