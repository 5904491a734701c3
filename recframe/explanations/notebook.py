"""An explanation as HTML for notebooks."""

from __future__ import annotations

from html import escape

from recframe.evaluation.html_tables import table_html
from recframe.explanations.explanation import Explanation
from recframe.explanations.terminal import counterfactual_text, effect_rows, effect_text, neighbours_text, standing_lines, words_heading


def explanation_html(about: Explanation) -> str:
    """The sentence, the standing, and a table for the parts and for the words of each text. Every text is escaped."""
    blocks = [f"<p><strong>{escape(about.sentence)}</strong></p>", _paragraph(" ".join(standing_lines(about, "")))]
    if rows := effect_rows(about):
        unit = "effect" if about.measure == "lead" else "places lost without it"
        blocks.append(table_html(("what was known", unit, "place without it"), rows))
    if about.counterfactual is not None:
        blocks.append(_paragraph(counterfactual_text(about.counterfactual)))
    for words in about.words:
        blocks.append(_paragraph(words_heading(words)))
        if words.words:
            blocks.append(table_html(("word", "effect"), [(word.word, effect_text(word.effect)) for word in words.words]))
    for heading, found in (("Nearest in the history", about.nearest_in_history), ("Nearest of all items", about.nearest)):
        if found:
            blocks.append(_paragraph(f"{heading}: {neighbours_text(found)}"))
    blocks += [_paragraph(f"Note: {note}") for note in about.notes]
    return "\n".join(blocks)


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
