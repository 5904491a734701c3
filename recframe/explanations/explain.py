"""Explanations of the items that a policy recommends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recframe.explanations.comparison import compared
from recframe.explanations.explanation import Explanation, ShownBy, WordEffects
from recframe.explanations.item_explanation import explanation_of
from recframe.explanations.nearest import vectors_read
from recframe.explanations.texts import words_of_texts
from recframe.explanations.words import METHODS
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question


def explain(
    policy: LoadedPolicy,
    question: Question | None = None,
    item: str | int | None = None,
    *,
    words: str = "auto",
    decision: ShownBy | None = None,
    **asked: Any,
) -> Explanation:
    """Why a policy ranks an item where it does.

    Each item of the history, and each text, is left out in turn, exactly and all in one batch: an effect is the difference that it makes
    to the item's standing (see `Measure`). Effects need not sum to anything: two similar items of a history can each be left out at no
    cost. The words of texts are told apart as well (see `WordEffects`).

    Parameters
    ----------
    question: what the policy is asked.   asked: the arguments of `Question` instead, such as `history=["17"]`.
    item: the id of the item; None: the first that is recommended.
    words: "auto": by integrated gradients where the encoder allows it, else by leaving each out; "leave_one_out"; "none": not told apart.
    decision: how the item came to its place, where exploration or something else had a part in it; None: as `recommend` shows it.

    Raises
    ------
    recframe.errors.UserError: as for `LoadedPolicy.recommend`; the item is not in the data, or nothing may be recommended.
    """
    if question is not None and asked:
        raise QueryError(f"explain: a question and {next(iter(asked))} are given; right is one of them")
    if not policy.ranks and question is None:
        asked = {"k": policy.agent.spec.slate_size, **asked}
    try:
        question = Question(**asked) if question is None else question
    except TypeError as error:
        raise QueryError(f"explain: {error}".replace("Question.__init__()", "a question")) from None
    if item is not None:
        return _explained(policy, question, [RankedItem(str(item), "")], [decision], words)[0]
    shown = policy.recommend_many([question])[0]
    if isinstance(shown, QueryError):
        raise shown
    if not shown:
        raise QueryError("explain: nothing may be recommended as an answer to this question")
    return _explained(policy, question, shown[:1], [decision or _shown_by(shown, 0)], words)[0]


def explain_all(policy: LoadedPolicy, question: Question, shown: RankedItems, *, words: str = "auto") -> list[Explanation]:
    """Why each of the items was `shown` as the answer to a question; as `explain`, and computed together.

    Raises
    ------
    recframe.errors.UserError: as for `explain`.
    """
    return _explained(policy, question, shown, [_shown_by(shown, place) for place in range(len(shown))], words) if shown else []


def _shown_by(shown: RankedItems, place: int) -> ShownBy:
    return ShownBy(place + 1, shown.explored, shown[place].propensity)


def _explained(
    policy: LoadedPolicy, question: Question, items: Sequence[RankedItem], decisions: Sequence[ShownBy | None], words: str
) -> list[Explanation]:
    if words not in METHODS:
        raise QueryError(f"words: {words!r} is not one of {', '.join(METHODS)}")
    with policy.inspected(question, [item.id for item in items]) as (query, rows, prepared):
        vectors = vectors_read(policy.agent, policy.data.catalog)
        with compared(policy, query, prepared, rows) as comparison:
            told: Sequence[Sequence[WordEffects]] = [()] * len(rows)
            if words != "none" and not comparison.drawn:
                told = words_of_texts(policy, question, comparison, words)
            return [
                explanation_of(policy, question, comparison, column, decision, vectors, told[column])
                for column, decision in enumerate(decisions)
            ]
