"""The effects of the parts of a question, from the standings with and without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from recframe.explanations.comparison import LeftOutParts
from recframe.explanations.explanation import Part, PartEffect
from recframe.explanations.leave_outs import LeaveOut
from recframe.interfaces import Catalog
from recframe.serving.query import Query
from recframe.serving.question import Question


def effects_of(
    comparison: LeftOutParts, column: int, catalog: Catalog, signals: Sequence[str], question: Question
) -> dict[int, PartEffect]:
    """What each single part did for the item in a column of the standings, by the number of the leave-out that lacks it."""
    standings = comparison.standings
    standing, places = standings.standing[:, column].tolist(), standings.places[:, column].tolist()
    scores = [None] * len(standing) if standings.scores is None else standings.scores[:, column].tolist()
    found = {}
    for number, out in enumerate(comparison.outs):
        if out.kind in get_args(Part):
            said = _said(comparison.query, out, catalog, signals, question)
            effect, place = standing[0] - standing[number], places[number] or None
            found[number] = PartEffect(out.kind, said.name, effect, *said[1:], scores[number], place)  # type: ignore[arg-type]
    return found


class _Said(NamedTuple):
    """The name of a part, the id of its item or user, and what was done with the item."""

    name: str
    id: str | None = None
    signal: str | None = None
    value: float | None = None


def _said(query: Query, out: LeaveOut, catalog: Catalog, signals: Sequence[str], question: Question) -> _Said:
    if out.kind in ("history", "signal"):
        item, values = query.history[out.place], query.feedback[out.place]
        done = [number for number, value in enumerate(values) if value != 0.0]
        number = out.signal if out.kind == "signal" else next(iter(done), None)
        signal = (None, None) if number is None else (signals[number], values[number])
        return _Said(str(catalog.attributes["title"][item]), catalog.ids[item], *signal)
    if out.kind == "user":
        return _Said(str(question.user), str(question.user))
    return _Said(str(question.context if out.kind == "context" else question.profile))
