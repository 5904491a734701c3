"""Titles as codes: an item's codes are the tokens of its title, by a tokenizer or as words (GENRE: Cao et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor


class TitleTokens(Protocol):
    """Turns titles into tokens, numbers from 0 to size - 1.

    size: the number of tokens.   end: the token that ends a title.
    """

    size: int
    end: int

    def __call__(self, titles: Sequence[str]) -> list[list[int]]:
        """The tokens of each title, without the end."""
        ...


class WordTokens:
    """Words between blanks as tokens: 0 ends a title, 1 is every word that is not known.

    words: the known words, from token 2 on.
    """

    end = 0
    UNKNOWN = 1
    FIRST = 2

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.size = self.FIRST + len(self.words)
        self._tokens = {word: token for token, word in enumerate(self.words, start=self.FIRST)}

    @classmethod
    def of_titles(cls, titles: Sequence[str], length: int) -> WordTokens:
        """With the first `length` words of these titles, in the order of their first occurrence."""
        return cls(list(dict.fromkeys(chain.from_iterable(title.split()[:length] for title in titles))))

    @classmethod
    def of_bytes(cls, kept: Tensor) -> WordTokens:
        """With the words that `as_bytes` gave."""
        return cls(bytes(kept.cpu().numpy()).decode().split())

    def as_bytes(self) -> Tensor:
        """The words as a tensor of bytes, to be saved with the codes."""
        return torch.frombuffer(bytearray(" ".join(self.words).encode() or b" "), dtype=torch.uint8)

    def __call__(self, titles: Sequence[str]) -> list[list[int]]:
        """The tokens of each title, without the end."""
        return [[self._tokens.get(word, self.UNKNOWN) for word in title.split()] for title in titles]


class TransformersTokens:
    """The tokens of a tokenizer of `transformers`; a title ends with its end-of-text token.

    before: a text that every title follows, such as " ": most tokenizers have other tokens for a word after a blank.
    """

    def __init__(self, tokenizer: Any, before: str = "") -> None:
        self.size, self.end = len(tokenizer), int(tokenizer.eos_token_id)
        self._tokenizer, self._before = tokenizer, before

    def __call__(self, titles: Sequence[str]) -> list[list[int]]:
        """The tokens of each title, without the end."""
        texts = [self._before + title for title in titles]
        tokens: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return tokens


def title_codes(titles: Sequence[str], tokens: TitleTokens, length: int, whole: bool = False) -> Tensor:
    """The first `length` tokens of each title, `[n, L]` int64, L the most of any (but at least 1), or `length` if `whole`.

    A shorter title is followed by end tokens, so that one that begins another is told apart from it.
    """
    rows = [row[:length] for row in tokens(titles)]
    longest = length if whole else max([1, *map(len, rows)])
    codes = torch.full((len(rows), longest), tokens.end, dtype=torch.int64)
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    codes[torch.arange(longest) < lengths[:, None]] = torch.tensor(list(chain.from_iterable(rows)), dtype=torch.int64)
    return codes
