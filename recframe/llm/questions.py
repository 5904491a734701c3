"""Parts of the questions that language models are asked: items in words, and marks that tie an answer to its question."""

from __future__ import annotations

import hashlib


def mark_of(question: str) -> str:
    """A hash of a question in six characters, which the answer must repeat.

    An answer that was meant for another person, or for another slate, has another mark: it is never taken for this one.
    """
    return hashlib.sha256(question.encode()).hexdigest()[:6]


def described_item(title: str, text: str, words: int) -> str:
    """An item in words: its title, and the first `words` words of its text, if that says more."""
    rest = " ".join(text.split()).removeprefix(title).strip(" .:-")
    beginning = " ".join(rest.split()[:words])
    return f"{title}: {beginning}" if beginning else title
