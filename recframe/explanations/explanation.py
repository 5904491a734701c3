"""What is said about one recommended item: what the policy read, and what each part of it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Measure = Literal["lead", "place"]
"""How an item's standing is measured. lead: the policy's score of the item less the median of its scores of the items of the catalogue.
place: the item's place in the ranking or on the slate, for policies that tell no scores."""

Part = Literal["history", "signal", "user", "profile", "context"]
"""A part of what a policy read: an item of the history, what the person did with it, who it is, its profile, or what was said."""


@dataclass(frozen=True)
class PartEffect:
    """What one part did: the item's standing with it, less that without it. Above zero, the part spoke for the item.

    part: of which kind.   name: the title of an item of the history, or a text.   id: of the item, or of the user.
    signal, value: what the person did with the item; of an item of the history, the first signal that is not 0.
    effect: the item's lead with the part less that without it; for policies without scores, the places that it would lose.
    score_without, place_without: the item's score and place without it; None: not told, or beyond the places that were looked at.
    """

    part: Part
    name: str
    effect: float
    id: str | None = None
    signal: str | None = None
    value: float | None = None
    score_without: float | None = None
    place_without: int | None = None


@dataclass(frozen=True)
class WordEffect:
    """A word, its place (start, end) in the text, and what it did for the item's standing."""

    word: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class WordEffects:
    """What the words of one text did for the item's standing.

    of: the text: the profile, what was said, or the item's own.   text: it.
    method: "integrated_gradients" (Sundararajan et al., 2017), "leave_one_out", or "": there are none, as `note` says.
    total: the standing with the text less that with a blank one: the sum of the words' effects, `other` and `residual`.
    other: by tokens that are of no word, such as punctuation.
    residual: of integrated gradients, the error of the sum over the path; of leave-one-out, what several words do only together.
    """

    of: Literal["profile", "context", "item"]
    text: str
    method: Literal["integrated_gradients", "leave_one_out", ""] = ""
    words: tuple[WordEffect, ...] = ()
    total: float = 0.0
    other: float = 0.0
    residual: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Neighbour:
    """An item whose vector is near that of the explained one; `similarity` is the cosine of the vectors that the policy reads."""

    id: str
    title: str
    similarity: float


@dataclass(frozen=True)
class Counterfactual:
    """The smallest single part without which the item would not have been shown among the first `places`.

    without: the part.   id, title: what would have been shown instead.
    """

    without: PartEffect
    places: int
    id: str
    title: str


@dataclass(frozen=True)
class ShownBy:
    """How the item came to its place.

    place: where it was shown, from 1; None: it was not, or that is not known.
    explored: exploration has changed the slate; None: the policy explores, and it is not known whether the item was shown.
    propensity: the probability of the item at its place, given those above it; None: unknown.
    """

    place: int | None
    explored: bool | None = False
    propensity: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a policy ranks an item where it does, for one question. Printed, it is a summary of 80 columns; a notebook shows tables.

    sentence: the strongest of the rest, in words.   measure: in what `effect`s are.   score: the policy's, or None.   lead: see `Measure`.
    spread: the interquartile range of the scores of the items of the catalogue, with which effects on a lead compare; None: no scores.
    place: in the ranking without exploration and without rules for slates, from 1; None: beyond those looked at, or it may not be shown.
    lead_unknown, place_unknown: the same for somebody with no history of whom nothing is known.
    whole_history: the effect of the whole history; None: there is none.
    history: the effect of each of its items, in its order.   signals: of what was done with each.
    person: of who the user is, the profile, and what was said, each as a whole.   words: of each text.
    nearest_in_history, nearest: the most similar items there and in the whole catalogue.   notes: what is not told, and why.
    """

    id: str
    title: str
    policy: str
    sentence: str
    measure: Measure
    decision: ShownBy
    score: float | None = None
    lead: float | None = None
    spread: float | None = None
    place: int | None = None
    lead_unknown: float | None = None
    place_unknown: int | None = None
    whole_history: float | None = None
    history: tuple[PartEffect, ...] = ()
    signals: tuple[PartEffect, ...] = ()
    person: tuple[PartEffect, ...] = ()
    words: tuple[WordEffects, ...] = ()
    nearest_in_history: tuple[Neighbour, ...] = ()
    nearest: tuple[Neighbour, ...] = ()
    counterfactual: Counterfactual | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same as values that JSON has; tuples become lists."""
        values: Mapping[str, Any] = asdict(self)
        return {name: _plain(value) for name, value in values.items()}

    def __str__(self) -> str:
        from recframe.explanations.terminal import explanation_text

        return explanation_text(self)

    def _repr_html_(self) -> str:
        from recframe.explanations.notebook import explanation_html

        return explanation_html(self)


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return {name: _plain(entry) for name, entry in value.items()} if isinstance(value, dict) else value
