"""One plain sentence about an item: the strongest of what an explanation has, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from recframe.explanations.explanation import Counterfactual, Explanation, PartEffect, ShownBy

NOTICEABLE = 0.05
"""The part of the spread of scores that an effect must reach to be said: less does not tell items apart."""

SAID = 60
"""Signs of a text that are in_quotes."""


def sentence_of(about: Explanation) -> str:
    """The sentence. It says what the effects show, in the policy's own terms, not what the person thinks."""
    title = in_quotes(about.title)
    shown = about.decision.place
    if tried_out(about):
        return f"{title} is shown to try it out{_probability(about.decision)}: by itself the policy puts it {at_place(about.place)}."
    parts = sorted((*about.history, *about.person), key=lambda part: -part.effect)
    if shown is None and about.decision.explored is not None:
        return f"{title} is not shown, it is {at_place(about.place)}{_against(parts, about)}."
    nowhere_else = about.place is not None and about.place_unknown == about.place
    everyone = "; with nothing known of you it would be there, too" if nowhere_else else ""
    moved_by_none = everyone and all(part.place_without == about.place for part in parts)
    if parts and noticeable(parts[0].effect, about) and not moved_by_none:
        strongest = f"the strongest single reason is {reason(parts[0], about)}: {_without(parts[0], about)}"
        return f"{ranked_at(about)}; {strongest}{everyone}."
    if about.whole_history is not None and noticeable(about.whole_history, about) and not everyone:
        cause = "because of the history as a whole, and not of one item in it"
        without = f"; with nothing known of you it would be {at_place(about.place_unknown)}"
        return f"{ranked_at(about)} {cause}{without}."
    if everyone:
        return f"{ranked_at(about)} for everyone{everyone}."
    return f"{ranked_at(about)}, and no single thing known of you speaks for it: {_for_everyone(about)}."


def tried_out(about: Explanation) -> bool:
    """Whether exploration has put the item where the policy by itself would not."""
    shown = about.decision.place
    return bool(about.decision.explored) and shown is not None and (about.place is None or about.place > shown)


def ranked_at(about: Explanation) -> str:
    """The place of the item. Where it is not known what was shown, it is said to be that of the ranking."""
    title, place = in_quotes(about.title), at_place(about.place)
    return f"By itself the policy puts {title} {place}" if about.decision.explored is None else f"{title} is {place}"


def _against(parts: Sequence[PartEffect], about: Explanation) -> str:
    if not parts or not noticeable(-parts[-1].effect, about):
        return ""
    return f"; the strongest single reason against it is {reason(parts[-1], about)}: {_without(parts[-1], about)}"


def _for_everyone(about: Explanation) -> str:
    if about.place_unknown is None and about.lead_unknown is None:
        return "the policy cannot be asked about somebody of whom nothing is known"
    return f"with nothing known of you it would be {at_place(about.place_unknown)}"


def noticeable(effect: float, about: Explanation) -> bool:
    """Whether an effect is large enough to be said."""
    return effect >= (1.0 if about.spread is None else max(NOTICEABLE * about.spread, 1e-9))


def reason(part: PartEffect, about: Explanation) -> str:
    """What a part is, after "the reason is"."""
    if part.part == "history":
        return "that it is in your history" if part.id == about.id else f"that {met(part.signal, part.value)} {in_quotes(part.name)}"
    return {"user": "who you are", "profile": "your profile", "context": f"that you say {in_quotes(part.name)}"}[part.part]


def met(signal: str | None, value: float | None) -> str:
    """What the person did with an item."""
    if signal is None or value is None:
        return "you were shown"
    if signal == "click":
        return "you clicked"
    return f"you gave {signal} {value:g} to"


def instead(found: Counterfactual) -> str:
    """You would have been shown Y instead, after "without X"."""
    return f"you would have been shown {in_quotes(found.title)} {'first' if found.places == 1 else 'instead'}"


def at_place(place: int | None) -> str:
    """A place in words."""
    return "beyond the places that were looked at" if place is None else f"at place {place}"


def in_quotes(text: str) -> str:
    """A title or text, cut where it is long."""
    text = " ".join(text.split())
    return f"'{text if len(text) <= SAID else text[: SAID - 3] + '...'}'"


def _without(part: PartEffect, about: Explanation) -> str:
    found = about.counterfactual
    if found is not None and found.without == part:
        return f"without this {instead(found)}"
    if part.place_without != about.place or about.lead is None:
        return f"without this it would be {at_place(part.place_without)}"
    return f"without this its lead over the median item would be {about.lead - part.effect:.3g} instead of {about.lead:.3g}"


def _probability(choice: ShownBy) -> str:
    return "" if choice.propensity is None else f", with a probability of {100 * choice.propensity:.2g}%"
