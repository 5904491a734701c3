"""What a language model reads of a visit: whom it plays, what they remember of the session, and what is shown to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recframe.interfaces import PAD, Data
from recframe.llm.questions import described_item
from recframe.report_cards import RatingScale

ROLE = (
    "You play one particular person who uses a recommender. Answer as this person would, from their taste alone. "
    "People do not like most of what is recommended to them, and they say so."
)


class Remembered(NamedTuple):
    """An item that was shown earlier in the session, or a question that was asked, which is "clicked" if the answer was yes."""

    item: int
    clicked: bool
    rating: float


class Visit(NamedTuple):
    """One person and one slate.

    person: whose persona it is.   slate: the items that are shown, in order.   remembered: earlier items of the session, oldest first.
    words: what the person said last, or None.   question: what they are asked in place of being shown a slate, which is then empty.
    """

    person: int
    slate: Sequence[int]
    remembered: Sequence[Remembered] = ()
    words: str | None = None
    question: str | None = None


class Wording:
    """Puts visits into words. The words of an item are prepared once.

    Parameters
    ----------
    item_words: of an item's text that people are shown.
    """

    def __init__(self, data: Data, scale: RatingScale, item_words: int) -> None:
        self.titles = titles_of(data)
        self.shown = [described_item(title, text, item_words) for title, text in zip(self.titles, data.catalog.texts, strict=True)]
        self.scale = scale
        self.first_question = data.catalog.first_question

    def visit(self, persona: str, visit: Visit) -> str:
        """The text of a visit: persona, memory, last words, and the numbered slate or the question."""
        lines = [f"You: {persona}"]
        if visit.remembered:
            lines.append(f"Earlier in this visit you saw: {'; '.join(self._remembered(one) for one in visit.remembered)}.")
        if visit.words is not None:
            lines.append(f'You said last: "{visit.words}"')
        if visit.question is not None:
            return "\n".join([*lines, f'Now you are asked: "{visit.question}"'])
        lines.append("Now you are shown:")
        lines += [f"{place}. {self.shown[item]}" for place, item in enumerate(visit.slate, 1)]
        return "\n".join(lines)

    def _remembered(self, one: Remembered) -> str:
        title = self.titles[one.item]
        if one.item >= self.first_question:
            return f'the question "{title}" (you said {"yes" if one.clicked else "no"})'
        return (
            f"{title} (you clicked on it, rating {self.scale.shown(round(one.rating, 1))})"
            if one.clicked
            else f"{title} (you passed it by)"
        )


def titles_of(data: Data) -> list[str]:
    """The items' titles, each in one line."""
    return [" ".join(title.split()) for title in data.catalog.titles]


def remembered_of(items: Sequence[int], clicks: Sequence[float], ratings: Sequence[float]) -> list[Remembered]:
    """The items of a memory without its padding."""
    rows = zip(items, clicks, ratings, strict=True)
    return [Remembered(item, click > 0.0, rating) for item, click, rating in rows if item != PAD]
