"""The words of a text and their places."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# lists such as "Action|Drama" are several words; scripts without spaces are taken apart into their signs
RUN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\s|/;,\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")

WORDS = 150
"""The words that are told apart; what follows them in a longer text counts as one."""


class WordPlace(NamedTuple):
    """A word and its place (start, end) in the text."""

    word: str
    start: int
    end: int


def words_of(text: str) -> list[WordPlace]:
    """The words of a text without the punctuation around them. What follows the first `WORDS` is one further word."""
    found = []
    for run in RUN.finditer(text):
        start, end = run.span()
        while start < end and _is_punctuation(text[start]):
            start += 1
        while end > start and _is_punctuation(text[end - 1]):
            end -= 1
        if start < end:
            found.append(WordPlace(text[start:end], start, end))
    if len(found) <= WORDS:
        return found
    start, end = found[WORDS].start, found[-1].end
    return [*found[:WORDS], WordPlace(text[start:end], start, end)]


def _is_punctuation(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "PSZ"
