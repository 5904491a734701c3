"""Reasons for slates and for single items, by copies of the policies, so that no answer waits for them."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from recframe.errors import UserError
from recframe.feedback import ShownAt
from recframe.interfaces import Agent
from recframe.server.json_values import json_ready
from recframe.server.served import ServedPolicy
from recframe.serving.items import RankedItems
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question

if TYPE_CHECKING:
    from recframe.explanations import Explanation, ShownBy

log = logging.getLogger(__name__)


class ToExplain(NamedTuple):
    """What is to be explained: why a slate, or why an item, of which all is told.

    shown: how the item was shown; None: that is not known.
    """

    by: ServedPolicy
    question: Question
    what: RankedItems | str
    shown: ShownAt | None = None


class Explainers:
    """Explains by a copy of each policy. A copy is made at the first explanation, and anew where the policy has more items.

    It is gone with its policy: once another one is swapped in, and requests in flight are answered. Used from one thread.
    """

    def __init__(self) -> None:
        self._copies: weakref.WeakKeyDictionary[LoadedPolicy, tuple[Agent, LoadedPolicy]] = weakref.WeakKeyDictionary()

    def explained(self, asked: Sequence[ToExplain]) -> list[Any]:
        """For each, the sentences of a slate, or the explanation of an item as JSON has it; or what is wrong, which stops no other.

        A slate whose explanation fails is recorded and must still be shown: its sentences are None.
        """
        answers: list[Any] = []
        for one in asked:
            try:
                answers.append(self._answer(one))
            except UserError as error:
                answers.append(error)
            except Exception as error:
                log.exception("%s: an explanation failed", one.by.name)
                answers.append(error if isinstance(one.what, str) else [None] * len(one.what))
        return answers

    def _answer(self, asked: ToExplain) -> Any:
        from recframe.explanations import explain, explain_all

        question, what, policy = asked.question, asked.what, self._copy_of(asked.by)
        if isinstance(what, str):
            about = explain(policy, question, what, decision=_decision(asked))
            return json_ready(_of_its_version(_told(about, question), asked).as_dict())
        return [_told(one, question).sentence for one in explain_all(policy, question, what, words="none")]

    def _copy_of(self, served: ServedPolicy) -> LoadedPolicy:
        agent = served.policy.agent
        known = self._copies.get(served.policy)
        if known is not None and known[0] is agent:
            return known[1]
        # the old one goes first: there need not be room for three
        self._copies.pop(served.policy, None)
        copied = served.policy.copy()
        self._copies[served.policy] = agent, copied
        return copied


def _decision(asked: ToExplain) -> ShownBy | None:
    """How the item came to its place; None: where nothing is explored, as the policy ranks it."""
    from recframe.explanations import ShownBy

    if asked.shown is not None:
        return ShownBy(asked.shown.position + 1, asked.shown.explored, asked.shown.propensity)
    return None if asked.by.explorer is None else ShownBy(None, explored=None)


def _of_its_version(about: Explanation, asked: ToExplain) -> Explanation:
    if asked.shown is None or asked.shown.version == asked.by.version:
        return about
    note = f"it was shown by version {asked.shown.version} of the policy; the reasons are those of version {asked.by.version}"
    return replace(about, notes=(*about.notes, note))


def _told(about: Explanation, question: Question) -> Explanation:
    """What may be told: an answer says neither which users the policy knows, nor what the data says of them."""
    # only a user whom the policy knows is left in a question, see `ServedPolicy.fitted`
    return about if question.user is None else without_user(about)


def without_user(about: Explanation) -> Explanation:
    """The explanation without the part of the user, the words of the stored profile, and what rests on them."""
    from recframe.explanations.comparison import UNREAD
    from recframe.explanations.sentence import ranked_at, sentence_of, tried_out

    found = about.counterfactual
    rest = replace(
        about,
        person=tuple(part for part in about.person if part.part != "user"),
        words=tuple(words for words in about.words if words.of != "profile"),
        counterfactual=None if found is not None and found.without.part == "user" else found,
        notes=tuple(note for note in about.notes if note != UNREAD),
    )
    nothing_else = not rest.history and not rest.person
    if nothing_else:
        # what would be with nothing known differs by the user alone
        rest = replace(rest, lead_unknown=None, place_unknown=None)
    if about.sentence != sentence_of(about):
        # a rule, or chance, is the reason
        return rest
    not_shown = about.decision.place is None and about.decision.explored is not None
    if nothing_else and not not_shown and not tried_out(about):
        return replace(rest, sentence=f"{ranked_at(about)}.")
    return replace(rest, sentence=sentence_of(rest))
