"""Writes decisions and feedback within a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from recframe.feedback import tables
from recframe.feedback.errors import FeedbackRefused
from recframe.feedback.inserts import insert_new
from recframe.feedback.item_lists import ItemLists
from recframe.feedback.records import RecordedDecision, RecordedFeedback
from recframe.feedback.shown import not_shown, unknown


class FeedbackOutcome(NamedTuple):
    """What became of feedback.   stored: False: its key was there.   session, person, policy: of the recommendation."""

    stored: bool
    session: str
    person: str
    policy: str


class _Shown(NamedTuple):
    """A recommendation as its feedback needs it."""

    session: str
    person: str
    policy: str
    items: set[str]


def write_decisions(connection: Connection, decisions: Sequence[RecordedDecision]) -> None:
    """Write decisions; one that is there is left as it is."""
    if not decisions:
        return
    lists = ItemLists()
    rows = [_decision_row(one, lists) for one in decisions]
    lists.write(connection)
    connection.execute(insert_new(connection, tables.recommendations), rows)
    shown = [
        {"recommendation": one.recommendation, "position": position, **entry._asdict()}
        for one in decisions
        for position, entry in enumerate(one.items)
    ]
    if shown:
        connection.execute(insert_new(connection, tables.shown_items), shown)


def write_feedback(connection: Connection, feedbacks: Sequence[RecordedFeedback]) -> list[FeedbackOutcome | FeedbackRefused]:
    """Write feedback, each key once. For each: its outcome, or why it is refused."""
    if not feedbacks:
        return []
    shown = _shown_by(connection, {one.recommendation for one in feedbacks})
    refused = {place: error for place, one in enumerate(feedbacks) if (error := _why_refused(one, shown)) is not None}
    first: dict[str, RecordedFeedback] = {}
    for place, one in enumerate(feedbacks):
        if place not in refused:
            first.setdefault(one.key, one)
    stored = _insert(connection, first)
    there = _stored_as(connection, [key for key in first if key not in stored])
    answers: list[FeedbackOutcome | FeedbackRefused] = []
    for place, one in enumerate(feedbacks):
        if place in refused:
            answers.append(refused[place])
        elif (there.get(one.key) or _content(first[one.key])) != _content(one):
            answers.append(FeedbackRefused(f"key: {one.key!r} was used for other feedback; each needs a key of its own"))
        else:
            session, person, policy, _ = shown[one.recommendation]
            answers.append(FeedbackOutcome(one.key in stored and first[one.key] is one, session, person, policy))
    return answers


def write_signals(connection: Connection, names: Sequence[str]) -> None:
    """Write the names of signals that are new."""
    if names:
        connection.execute(insert_new(connection, tables.signals), [{"name": name} for name in names])


def _shown_by(connection: Connection, wanted: set[str]) -> dict[str, _Shown]:
    """Session, person, policy and items of each recommendation that is known."""
    made, shown = tables.recommendations, tables.shown_items
    query = select(made.c.recommendation, made.c.session, made.c.person, made.c.policy, shown.c.item)
    query = query.join(shown, shown.c.recommendation == made.c.recommendation, isouter=True).where(made.c.recommendation.in_(wanted))
    found: dict[str, _Shown] = {}
    for recommendation, session, person, policy, item in connection.execute(query):
        found.setdefault(recommendation, _Shown(session, person, policy, set())).items.add(item)
    return found


def _why_refused(one: RecordedFeedback, shown: Mapping[str, _Shown]) -> FeedbackRefused | None:
    if one.recommendation not in shown:
        return unknown(one.recommendation)
    if one.item not in shown[one.recommendation].items:
        return not_shown(one.item, one.recommendation)
    return None


def _insert(connection: Connection, first: Mapping[str, RecordedFeedback]) -> set[str]:
    """Write feedback by its keys. Returns the keys that are new."""
    if not first:
        return set()
    write_signals(connection, sorted({name for one in first.values() for name in one.signals}))
    # in the order of the keys: two writers that have keys in common then do not wait for each other
    rows = [_feedback_row(first[key]) for key in sorted(first)]
    new = insert_new(connection, tables.feedback).values(rows).returning(tables.feedback.c.key)
    return set(connection.execute(new).scalars())


def _stored_as(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """The content of the stored feedback with these keys."""
    if not keys:
        return {}
    table = tables.feedback
    query = select(table.c.key, table.c.recommendation, table.c.item, table.c.signals).where(table.c.key.in_(keys))
    return {key: (recommendation, item, signals) for key, recommendation, item, signals in connection.execute(query)}


def _decision_row(one: RecordedDecision, lists: ItemLists) -> dict[str, object]:
    history = json.dumps([[item, dict(signals)] for item, signals in one.history])
    as_it_is = ("recommendation", "time", "session", "person", "policy", "version", "explored", "profile", "context", "k", "exploration")
    row = {name: getattr(one, name) for name in as_it_is}
    asked = {name: lists.name_of(getattr(one, name)) for name in ("candidates", "exclude")}
    rules = {"must_include": list(one.must_include), "at_most": dict(one.at_most)}
    return {**row, "history": history, **asked, **{name: json.dumps(rule) if rule else None for name, rule in rules.items()}}


def _feedback_row(one: RecordedFeedback) -> dict[str, object]:
    recommendation, item, signals = _content(one)
    return {"key": one.key, "recommendation": recommendation, "item": item, "time": one.time, "signals": signals}


def _content(one: RecordedFeedback) -> tuple[str, str, str]:
    return one.recommendation, one.item, one.signals_text
