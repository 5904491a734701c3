"""What a policy answered, and how it is recorded."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from recframe.feedback import RecordedDecision, ShownItem
from recframe.metric_names import CLICK_SIGNAL
from recframe.server.served import ServedPolicy
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.question import Question


class Slate(NamedTuple):
    """An answer.   by: who gave it.   question: as the policy read it."""

    by: ServedPolicy
    question: Question
    items: RankedItems

    @property
    def history(self) -> list[tuple[str, dict[str, float]]]:
        """What the policy read of the history: ids, with the values of signals."""
        entries = [one if isinstance(one, tuple) else (one, {CLICK_SIGNAL: 1.0}) for one in self.question.history]
        return [(str(item), dict(signals)) for item, signals in entries]


def answers_of(served: ServedPolicy, questions: Sequence[Question]) -> Sequence[RankedItems | Exception]:
    """The policy's answers; where one question makes it fail, the others are answered alone."""
    try:
        return served.ask(questions)
    except Exception as error:
        return [error] if len(questions) == 1 else [answer for one in questions for answer in answers_of(served, [one])]


def new_name() -> str:
    """A name that nobody can guess, for a session or a recommendation."""
    return uuid.uuid4().hex


def decision_of(slate: Slate, session: str, person: str) -> RecordedDecision:
    """A slate as it is recorded."""
    items = [ShownItem(item.id, _propensity(item), item.score) for item in slate.items]
    question, explorer = slate.question, slate.by.explorer
    return RecordedDecision(
        new_name(),
        time.time(),
        session,
        person,
        slate.by.name,
        slate.items.version,
        items,
        explored=slate.items.explored,
        history=slate.history,
        profile=question.profile,
        context=question.context,
        k=question.k,
        exploration="none" if explorer is None else explorer.config.kind,
        candidates=_ids(question.candidates),
        exclude=_ids(question.exclude),
        must_include=_ids(question.must_include) or (),
        at_most=question.at_most,
    )


def _ids(items: Sequence[str | int] | None) -> list[str] | None:
    return None if items is None else [str(item) for item in items]


def _propensity(item: RankedItem) -> float:
    # one that is too small for a number would be 0, which no shown item has
    return 1.0 if item.propensity is None else max(item.propensity, sys.float_info.min)
