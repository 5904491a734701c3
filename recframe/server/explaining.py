"""Reasons for slates and for single items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from recframe.errors import UserError
from recframe.server.json_values import json_ready
from recframe.server.served import ServedPolicy
from recframe.serving.items import RankedItems
from recframe.serving.question import Question


class ToExplain(NamedTuple):
    """What is to be explained: why a slate, or why an item, of which all is told."""

    by: ServedPolicy
    question: Question
    what: RankedItems | str


def explained(asked: Sequence[ToExplain]) -> list[Any]:
    """For each, the sentences of a slate, or the explanation of an item as JSON has it; or what is wrong."""
    from recframe.explanations import explain, explain_all

    answers: list[Any] = []
    for by, question, what in asked:
        try:
            if isinstance(what, str):
                answers.append(json_ready(explain(by.policy, question, what).as_dict()))
            else:
                answers.append([one.sentence for one in explain_all(by.policy, question, what, words="none")])
        except UserError as error:
            answers.append(error)
    return answers
