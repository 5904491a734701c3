"""The tables of a store.

`recommendations` has a row for each answer of a policy, with all that it was asked, `shown_items` one for each item of its slate, and
`feedback` one for each accepted report of what a person did with an item. `item_lists` has the lists of ids that requests brought, each
once, and without old ones (`FeedbackStore.remove_lists`). `items` is the catalogue of the policy, in its order, so that the store is all
that learning needs. `signals` lists the signals that the policies know. `about` says what the store is: the version of this layout, and a
checksum of the catalogue.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text

LAYOUT = "2"
"""The version of the layout. A store of layout 1 gets `ASKED_COLUMNS`, which it lacks; one with another layout is refused."""

metadata = MetaData()

about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

ASKED_COLUMNS = ("k", "exploration", "candidates", "exclude", "must_include", "at_most")
"""What a request asked for beside the person. `k` is null where it is not known: of decisions that a store of layout 1 recorded."""

recommendations = Table(
    "recommendations",
    metadata,
    Column("recommendation", String, primary_key=True),
    Column("time", Double, nullable=False),
    Column("session", String, nullable=False),
    Column("person", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("version", String, nullable=False),
    Column("explored", Boolean, nullable=False),
    Column("history", Text, nullable=False),
    Column("profile", Text),
    Column("context", Text),
    Column("k", Integer),
    Column("exploration", String),
    # names of `item_lists`, where the list may have been removed; null: there was none
    Column("candidates", String),
    Column("exclude", String),
    # JSON; null: there was none
    Column("must_include", Text),
    Column("at_most", Text),
    # the order in which the log is read
    Index("recommendations_in_time", "time", "recommendation"),
)

shown_items = Table(
    "shown_items",
    metadata,
    Column("recommendation", String, ForeignKey("recommendations.recommendation"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("item", String, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("score", Double),
)

item_lists = Table("item_lists", metadata, Column("name", String, primary_key=True), Column("items", Text, nullable=False))

feedback = Table(
    "feedback",
    metadata,
    # the order of arrival: a later value of a signal replaces an earlier one
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),
    Column("recommendation", String, ForeignKey("recommendations.recommendation"), nullable=False, index=True),
    Column("item", String, nullable=False),
    Column("time", Double, nullable=False),
    Column("signals", Text, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", String, primary_key=True),
    Column("row", Integer, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("added", Boolean, nullable=False),
)

signals = Table("signals", metadata, Column("name", String, primary_key=True))
