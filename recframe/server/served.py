"""The policies that a server asks: one reference for each name, which is swapped as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from recframe.server.config import MAIN
from recframe.server.json_values import json_ready
from recframe.serving.exploration import Explorer
from recframe.serving.items import RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.query_error import QueryError
from recframe.serving.question import Entry, Question


class Asked(NamedTuple):
    """A question to a policy.

    policy: its name.   question: all that is known of the person.
    optional: what is left out where the policy cannot read it ("history", "profile", "context"); other such things are mistakes.
    """

    policy: str
    question: Question
    optional: frozenset[str] = frozenset()


class ServedPolicy:
    """A loaded policy under its name, with what requests need of its catalogue.

    Parameters
    ----------
    name: "main", or that of `other.NAME`.   policy: the policy.   explorer: chooses what is shown, or None: the best items.
    """

    def __init__(self, name: str, policy: LoadedPolicy, explorer: Explorer | None = None) -> None:
        self.name = name
        self.policy = policy
        self.explorer = explorer
        self.signals = policy.agent.spec.signals
        self.most = len(policy.data.catalog) if policy.ranks else policy.agent.spec.slate_size
        """The largest k that the policy answers."""
        users = policy.data.users if policy.agent.spec.has_users else None
        self._users = frozenset() if users is None else frozenset(users.ids)
        profiles = users is not None and users.profiles is not None and users.profiles.vectors is not None
        self.reads = {
            "user": bool(self._users),
            "profile": profiles,
            "context": policy.agent.spec.has_context and policy.data.contexts is not None,
        }
        self.read_catalogue()

    @property
    def version(self) -> str:
        """The version of the policy with the items that were added to it so far. That of an answer is `RankedItems.version`."""
        return self.policy.version

    def read_catalogue(self) -> None:
        """Read the catalogue anew: items were added at its end. The rows, by which the rest is read, come last."""
        catalog = self.policy.data.catalog
        self.ids: Sequence[str] = catalog.ids
        self.titles: Sequence[str] = catalog.titles
        self.attributes = catalog.attributes.drop("title")
        self._lowered: pl.Series | None = None
        self.rows: Mapping[str, int] = {item: row for row, item in enumerate(self.ids)}

    def fitted(self, asked: Asked) -> Question:
        """The question without what is optional in it and cannot be read, and without a user whom the policy does not know."""
        question, optional = asked.question, asked.optional
        if "history" in optional:
            question = replace(question, history=[one for one in map(self._known_entry, question.history) if one is not None])
        known = str(question.user) in self._users
        if not known:
            question = replace(question, user=None)
        if "profile" in optional and (known or not self.reads["profile"]):
            question = replace(question, profile=None)
        if "context" in optional and not self.reads["context"]:
            question = replace(question, context=None)
        return question

    def _known_entry(self, entry: Entry) -> Entry | None:
        item, signals = entry if isinstance(entry, tuple) else (entry, None)
        if str(item) not in self.rows:
            return None
        return item if signals is None else (item, {name: value for name, value in signals.items() if name in self.signals})

    def ask(self, questions: Sequence[Question]) -> list[RankedItems | QueryError]:
        """The answers to questions, in their order."""
        return self.policy.recommend_many(questions, self.explorer)

    def title_of(self, item: str) -> str:
        """The title of an item; its id, where the policy does not have it."""
        row = self.rows.get(item)
        return item if row is None else self.titles[row]

    def attributes_of(self, items: Sequence[str]) -> list[dict[str, Any]]:
        """The attributes of items of the catalogue, ready for JSON; empty for those that it does not have."""
        rows = [self.rows.get(item) for item in items]
        known = self.attributes[[row for row in rows if row is not None]].rows(named=True)
        found = iter(known)
        return [{} if row is None else json_ready(next(found)) for row in rows]

    def search(self, words: str, limit: int, offset: int) -> tuple[list[int], int]:
        """The rows of a page of the items whose titles have all of the words, and the number of all of them."""
        parts = words.lower().split()
        if not parts:
            return list(range(len(self.ids))[offset : offset + limit]), len(self.ids)
        # items may be added meanwhile
        lowered = self._lowered
        if lowered is None:
            lowered = self._lowered = pl.Series(self.titles, dtype=pl.String).str.to_lowercase()
        having = pl.Series([True]).new_from_index(0, len(lowered))
        for part in parts:
            having &= lowered.str.contains(part, literal=True)
        rows = having.arg_true()
        return rows.slice(offset, limit).to_list(), len(rows)

    def catalogue(self, added: Collection[str]) -> pl.DataFrame:
        """The catalogue as the store keeps it (`FeedbackStore.items_frame`). added: ids of the items that were added by their texts."""
        columns = {"id": self.ids, "title": self.titles, "text": self.policy.data.catalog.texts}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        if self.attributes.width:
            as_json = pl.struct(pl.all()).struct.json_encode().alias("attributes")
            frame = frame.with_columns(self.attributes.select(as_json).to_series())
        else:
            frame = frame.with_columns(pl.lit("{}").alias("attributes"))
        return frame.with_columns(pl.col("id").is_in(list(added)).alias("added"))


class ServedPolicies:
    """Policies by name, the main one first, and the share of the users whom each answers.

    shares: of the others; the main policy answers the rest.
    """

    def __init__(self, policies: Sequence[ServedPolicy], shares: Mapping[str, float]) -> None:
        self._policies = {one.name: one for one in policies}
        self.shares = {one.name: shares.get(one.name, 0.0) for one in policies}
        self.shares[MAIN] = 1 - sum(shares.values())

    def __iter__(self) -> Iterator[ServedPolicy]:
        return iter(list(self._policies.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._policies

    def __getitem__(self, name: str) -> ServedPolicy:
        return self._policies[name]

    @property
    def names(self) -> list[str]:
        """All names, the main one first."""
        return list(self._policies)

    @property
    def signals(self) -> frozenset[str]:
        """The signals of all policies."""
        return frozenset(name for one in self._policies.values() for name in one.signals)

    def any_reads(self, what: str) -> bool:
        """Whether a policy reads "user", "profile" or "context"."""
        return any(one.reads[what] for one in self._policies.values())

    def swap(self, served: ServedPolicy) -> None:
        """Put a policy in the place of that of its name. Requests in flight keep the old one."""
        self._policies[served.name] = served

    def name_for(self, person: str) -> str:
        """The name of the policy that answers a person: always the same one, by a hash of the user's id, or the session's."""
        place = int.from_bytes(hashlib.sha256(person.encode()).digest()[:8], "big") / 2**64
        for name, share in self.shares.items():
            if name != MAIN:
                if place < share:
                    return name
                place -= share
        return MAIN
