"""An explanation as text of 80 columns for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from recframe.explanations.explanation import Counterfactual, Explanation, Neighbour, PartEffect, WordEffects
from recframe.explanations.sentence import in_quotes, instead, met

WIDTH = 80
NAME = 46
"""Columns of a part's name."""

HISTORY, WORDS = 8, 12
"""Items of the history, and words of a text, that are printed: those with the largest effects."""


def explanation_text(about: Explanation) -> str:
    """The explanation, aligned, in lines of at most 80 columns as far as words allow."""
    lines = [f"{about.title}  [{about.id}]", *_wrapped(about.sentence, "  "), *standing_lines(about, "  ")]
    rows = effect_rows(about)
    if rows:
        unit = "effect" if about.measure == "lead" else "places"
        lines += ["", _row("what was known, and what it did", unit, "place without"), *(_row(*row) for row in rows)]
    if len(about.history) > HISTORY:
        lines.append(f"  ... and {len(about.history) - HISTORY} more items of the history, with smaller effects")
    if about.counterfactual is not None and instead(about.counterfactual) not in about.sentence:
        lines += ["", *_wrapped(counterfactual_text(about.counterfactual), "", "  ")]
    for words in about.words:
        lines += ["", *_words_lines(words)]
    near = [("nearest in the history", about.nearest_in_history), ("nearest of all items", about.nearest)]
    for heading, found in near:
        if found:
            lines += ["", *_wrapped(f"{heading}: {neighbours_text(found)}", "", "  ")]
    if about.notes:
        lines += ["", *(line for note in about.notes for line in _wrapped(f"note: {note}", "", "  "))]
    return "\n".join(lines)


def standing_lines(about: Explanation, indent: str) -> list[str]:
    """Score, places and decision, in words."""
    asked = about.place_unknown is not None or about.lead_unknown is not None
    unknown = f" (with nothing known: {about.place_unknown or 'further down'})" if asked else ""
    place = f"place {about.place or 'none'} without exploration{unknown}"
    if about.score is not None and about.lead is not None:
        place = f"score {about.score:.4g}, {about.lead:+.3g} against the median item; {place}"
    choice = about.decision
    how = "chosen by exploration" if choice.explored else "chosen without exploration"
    chance = "" if choice.propensity is None else f", with a propensity of {choice.propensity:.3g}"
    shown = [] if choice.place is None else _wrapped(f"shown at place {choice.place}, {how}{chance}", indent)
    return [*_wrapped(place, indent), *shown]


def effect_rows(about: Explanation) -> list[tuple[str, str, str]]:
    """Name, effect and place without it, of the parts with the largest effects."""
    entries = sorted(about.history, key=lambda part: -abs(part.effect))[:HISTORY]
    rows = [(part_name(part), effect_text(part.effect), str(part.place_without or "-")) for part in (*about.person, *entries)]
    if about.whole_history is not None and len(about.history) > 1:
        rows.append(("the whole history", effect_text(about.whole_history), ""))
    return rows


def part_name(part: PartEffect) -> str:
    """A part in words."""
    if part.part in ("history", "signal"):
        return f"{met(part.signal, part.value)} {in_quotes(part.name)}"
    names = {
        "user": f"who you are: {part.name}",
        "profile": f"your profile: {in_quotes(part.name)}",
        "context": f"you say {in_quotes(part.name)}",
    }
    return names[part.part]


def counterfactual_text(found: Counterfactual) -> str:
    """Without X you would have been shown Y."""
    part = found.without
    names = {"user": "knowing who you are", "profile": "your profile", "context": "what you say"}
    return f"without {names.get(part.part, in_quotes(part.name))} {instead(found)}"


def words_heading(words: WordEffects) -> str:
    """What the words are of, and how they were measured."""
    of = {"profile": "the profile", "context": "what was said", "item": "the item's text"}[words.of]
    if not words.method:
        return f"words of {of}: {words.note}"
    note = f"; {words.note}" if words.note else ""
    what = "error of the sum" if words.method == "integrated_gradients" else "only together"
    method = words.method.replace("_", " ")
    return f"words of {of} by {method}: {words.total:+.3g} in all, {what} {words.residual:+.2g}{note}"


def neighbours_text(found: Iterable[Neighbour]) -> str:
    """Titles with their similarities."""
    return ", ".join(f"{in_quotes(one.title)} {one.similarity:.2f}" for one in found)


def effect_text(effect: float) -> str:
    """An effect with its sign."""
    return f"{effect:+.3g}"


def _words_lines(words: WordEffects) -> list[str]:
    largest = sorted((word for word in words.words if word.effect), key=lambda word: -abs(word.effect))[:WORDS]
    listed = "  ".join(f"{word.word[:NAME]}\u00a0{effect_text(word.effect)}" for word in largest)
    nothing = "no word does anything by itself" if words.words else ""
    return [*_wrapped(words_heading(words), "", "  "), *_wrapped(listed or nothing, "  ")]


def _row(name: str, effect: str, place: str) -> str:
    cut = name if cell_len(name) <= NAME else set_cell_size(name, NAME - 3) + "..."
    return f"  {set_cell_size(cut, NAME)}  {effect:>10}  {place:>15}".rstrip()


def _wrapped(text: str, first: str, later: str | None = None) -> Sequence[str]:
    # a word stays with its effect: wrap only at ordinary spaces
    indents = {"initial_indent": first, "subsequent_indent": first if later is None else later}
    lines = textwrap.wrap(text, WIDTH, **indents, break_long_words=False, break_on_hyphens=False)  # type: ignore[arg-type]
    return [line.replace("\u00a0", " ") for line in lines]
