"""Many questions to a policy, as JSON lines: they are answered in batches, so that memory does not grow with their number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from recframe.errors import UserError
from recframe.serving.exploration import Explorer
from recframe.serving.items import RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question

KEYS = tuple(field.name for field in fields(Question))


Why = Callable[[Question, RankedItems], Sequence[Mapping[str, Any]]]
"""Says of each of the items why it was the answer to a question, as JSON has it."""


class Line(NamedTuple):
    """A line of a file of questions: its object, and the question, or why it is none."""

    written: Mapping[str, Any]
    question: Question | QueryError


def answered(
    policy: LoadedPolicy, batches: Iterable[Sequence[str]], k: int, skip: int = 0, explorer: Explorer | None = None, why: Why | None = None
) -> Iterator[str]:
    """A line of JSON for each question: its `id`, if it has one, and the `items`, or the `error`. Empty lines are left out.

    A question is an object with the arguments of `LoadedPolicy.recommend`, all of them optional, and an `id` of any kind.

    batches: of lines.   k: for questions without their own.   skip: the number of questions that were answered before. Batches that hold
        others, too, are answered as a whole, so that a file that is continued has the answers that it would have had, to the last digit.
    explorer: explores; each line has draws of its own.   why: says of each item why, in its entry `why`.
    """
    place = number = 0
    for batch in batches:
        lines = [(at, line) for at, line in enumerate(batch, place + 1) if line.strip()]
        place += len(batch)
        number += len(lines)
        seeds = None if explorer is None else explorer.seeds(len(lines))
        if number > skip:
            answers = _answers(policy, [_read(line, at, k) for at, line in lines], explorer, seeds, why)
            yield from list(answers)[max(len(lines) - (number - skip), 0) :]


def _answers(
    policy: LoadedPolicy, lines: Sequence[Line], explorer: Explorer | None, seeds: Sequence[int] | None, why: Why | None
) -> Iterator[str]:
    places = [place for place, line in enumerate(lines) if isinstance(line.question, Question)]
    questions = [line.question for line in lines if isinstance(line.question, Question)]
    given = None if seeds is None else [seeds[place] for place in places]
    found = dict(zip(places, policy.recommend_many(questions, explorer, given), strict=True))
    for place, line in enumerate(lines):
        answer = found.get(place, line.question)
        try:
            if not isinstance(answer, RankedItems) or not isinstance(line.question, Question):
                raise QueryError(str(answer))
            yield answer_line(line.written, answer, explorer is not None, None if why is None else why(line.question, answer))
        except UserError as error:
            yield json.dumps({**_id(line.written), "error": str(error)}, ensure_ascii=False)


def _read(line: str, place: int, k: int) -> Line:
    written: Mapping[str, Any] = {}
    try:
        read = json.loads(line)
        if not isinstance(read, dict):
            raise QueryError(f"line {place}: a question is an object such as {{'history': ['17']}}, not {type(read).__name__}")
        written = read
        if unknown := [key for key in written if key not in (*KEYS, "id")]:
            raise QueryError(f"line {place}: a question has no {unknown[0]!r}; it may have: id, {', '.join(KEYS)}")
        given = {key: value for key, value in written.items() if key in KEYS and value is not None}
        if isinstance(given.get("history"), list):
            given["history"] = [tuple(entry) if isinstance(entry, list) else entry for entry in given["history"]]
        return Line(written, Question(**{"k": k, **given}))
    except QueryError as error:
        return Line(written, error)
    except (ValueError, RecursionError) as error:
        return Line(written, QueryError(f"line {place}: not JSON ({error})"))


def answer_line(
    question: Mapping[str, Any], items: RankedItems, propensities: bool = False, why: Sequence[Mapping[str, Any]] | None = None
) -> str:
    """The items as one line of JSON, with the `id` of the question. With `propensities`, also those, and whether the slate was explored.

    why: of each item, its entry `why`.
    """
    entries = [
        {
            "id": item.id,
            "title": item.title,
            **({} if item.score is None else {"score": item.score}),
            **({"propensity": item.propensity} if propensities else {}),
            **({} if why is None else {"why": why[place]}),
        }
        for place, item in enumerate(items)
    ]
    return json.dumps({**_id(question), **({"explored": items.explored} if propensities else {}), "items": entries}, ensure_ascii=False)


def _id(question: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": question["id"]} if "id" in question else {}
