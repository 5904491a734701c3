"""The explanation of one item out of the standings with and without the parts of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from recframe.explanations.comparison import LeftOutParts
from recframe.explanations.counterfactual import counterfactual_of
from recframe.explanations.explanation import Explanation, PartEffect, ShownBy, WordEffects
from recframe.explanations.nearest import neighbours
from recframe.explanations.parts import effects_of
from recframe.explanations.sentence import at_place, in_quotes, sentence_of
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question
from recframe.serving.rules import NO_RULES

RULES = "places are those of the ranking, before the rules of the slate (must_include, at_most) are kept"
RANDOM = "The policy draws what it shows at random: nothing that is known of you is the reason."


def explanation_of(
    policy: LoadedPolicy,
    question: Question,
    comparison: LeftOutParts,
    column: int,
    decision: ShownBy | None,
    vectors: Tensor | None,
    words: Sequence[WordEffects],
) -> Explanation:
    """The explanation of the item in a column of the standings.

    decision: how the item came to its place; None: as the policy shows it without exploration, if it does.
    vectors: `[M, d]` of length one, by which items are similar; None: the policy reads none.
    """
    catalog, standings, item = policy.data.catalog, comparison.standings, comparison.items[column]
    scored = standings.scores is not None
    place = int(standings.places[0, column]) or None
    about = Explanation(
        id=catalog.ids[item],
        title=str(catalog.attributes["title"][item]),
        policy=policy.name,
        sentence=RANDOM,
        measure="lead" if scored else "place",
        decision=_best_choice(place, comparison.query.k) if decision is None else decision,
        score=None if standings.scores is None else float(standings.scores[0, column]),
        lead=float(standings.standing[0, column]) if scored else None,
        spread=None if standings.spread is None else float(standings.spread[0]),
        place=place,
        words=tuple(words),
        notes=comparison.notes if comparison.query.rules is NO_RULES else (*comparison.notes, RULES),
    )
    if vectors is not None:
        in_history = neighbours(vectors, catalog, item, comparison.query.history)
        about = replace(about, nearest_in_history=in_history, nearest=neighbours(vectors, catalog, item, None))
    if comparison.drawn:
        # differences between draws are no effects
        return replace(about, place=None, decision=replace(about.decision, propensity=None))
    effects = effects_of(comparison, column, catalog, policy.agent.spec.signals, question)
    about = replace(
        about,
        history=_only(effects, "history"),
        signals=_only(effects, "signal"),
        person=_only(effects, "user", "profile", "context"),
        counterfactual=counterfactual_of(comparison, effects, item, place or 0, catalog),
        **_with_nothing(comparison, column, scored),
    )
    return replace(about, sentence=_required(comparison, about, item) or sentence_of(about))


def _required(comparison: LeftOutParts, about: Explanation, item: int) -> str:
    """The sentence about an item that must, or may not, be shown; empty: the policy decides."""
    query, title = comparison.query, in_quotes(about.title)
    if item in query.rules.must_include:
        return f"{title} is shown because it must be (must_include): by itself the policy puts it {at_place(about.place)}."
    if item in query.excluded:
        return f"{title} may not be shown: it is excluded, as items of the history are unless the question says otherwise."
    if query.candidates is not None and item not in query.candidates:
        return f"{title} may not be shown: it is none of the candidates."
    return ""


def _best_choice(place: int | None, k: int) -> ShownBy:
    among = place is not None and place <= k
    return ShownBy(place if among else None, propensity=1.0 if among else None)


def _only(effects: dict[int, PartEffect], *parts: str) -> tuple[PartEffect, ...]:
    return tuple(effect for effect in effects.values() if effect.part in parts)


def _with_nothing(comparison: LeftOutParts, column: int, scored: bool) -> dict[str, Any]:
    """The item's standing when nothing is known, and the effect of the whole history."""
    found: dict[str, Any] = {}
    standing = comparison.standings.standing[:, column]
    if (number := comparison.number_of("everything")) is not None:
        found["lead_unknown"] = float(standing[number]) if scored else None
        found["place_unknown"] = int(comparison.standings.places[number, column]) or None
    if (number := comparison.number_of("whole_history")) is not None:
        found["whole_history"] = float(standing[0] - standing[number])
    return found
