"""A question, and the same with parts of it left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from recframe.explanations.explanation import Part
from recframe.interfaces import Role
from recframe.serving.query import Query

ENTRIES = 100
"""The last items of a history that are left out one by one, for policies that read all of it."""


class LeaveOut(NamedTuple):
    """A query without something.

    kind: what is left out.   place: of the item in the history.   signal: its number.   unknown: the roles of which nothing is known.
    """

    query: Query
    kind: Literal["nothing", "everything", "whole_history"] | Part
    place: int = -1
    signal: int = -1
    unknown: frozenset[Role] = frozenset()


def last_entries(query: Query, length: int | None) -> Query:
    """The query with the last items of its history that a policy reads; None: it reads all."""
    return query if length is None else query._replace(history=query.history[-length:], feedback=query.feedback[-length:])


def leave_outs(query: Query, known: Sequence[Role]) -> list[LeaveOut]:
    """First the whole query; then without everything, without the history, and without each single part.

    known: the roles of which something is known.
    """
    without_history = query._replace(history=[], feedback=[])
    found = [LeaveOut(query, "nothing"), LeaveOut(without_history, "everything", unknown=frozenset(known))]
    if query.history:
        found.append(LeaveOut(without_history, "whole_history"))
    places = range(max(0, len(query.history) - ENTRIES), len(query.history))
    found += [LeaveOut(_without_entry(query, place), "history", place) for place in places]
    for place in places:
        signals = [number for number, value in enumerate(query.feedback[place]) if value != 0.0]
        found += [LeaveOut(_without_signal(query, place, signal), "signal", place, signal) for signal in signals]
    for role in known:
        part: Part = "context" if role == "context" else "user" if "user" in query.rows else "profile"
        found.append(LeaveOut(query, part, unknown=frozenset([role])))
    return found


def _without_entry(query: Query, place: int) -> Query:
    history, feedback = query.history, query.feedback
    return query._replace(history=[*history[:place], *history[place + 1 :]], feedback=[*feedback[:place], *feedback[place + 1 :]])


def _without_signal(query: Query, place: int, signal: int) -> Query:
    values = [*query.feedback[place]]
    values[signal] = 0.0
    return query._replace(feedback=[*query.feedback[:place], values, *query.feedback[place + 1 :]])
