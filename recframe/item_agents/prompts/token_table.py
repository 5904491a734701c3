"""Texts as tokens, made once: a prompt for thousands of people is then put together by gathers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.item_agents.prompts.pieces import Tokens


class TokenTable:
    """The tokens of n texts, of each at most `longest`.

    Parameters
    ----------
    tokenizer: of `transformers`.   texts: n texts.
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], longest: int, device: torch.device) -> None:
        self._tokenizer, self._longest, self._device = tokenizer, longest, device
        self._own = self._tokens(texts)
        self._first_new, self._new = 0, None

    _new: Tokens | None

    def _tokens(self, texts: Sequence[str]) -> Tokens:
        """`[n, width]`, which always has a row, if without tokens."""
        rows = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"] if texts else [[]]
        rows = [row[: self._longest] for row in rows]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        there = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        ids = torch.zeros(there.shape, dtype=torch.int32)
        ids[there] = torch.tensor([token for row in rows for token in row], dtype=torch.int32)
        return Tokens(ids.to(self._device), there.to(self._device))

    @property
    def width(self) -> int:
        """The most tokens of a text."""
        return max(tokens.ids.shape[1] for tokens in (self._own, self._new) if tokens is not None)

    @contextmanager
    def appended(self, first: int, texts: Sequence[str]) -> Iterator[None]:
        """Have the tokens of further texts in the rows from `first` on, within the block."""
        self._first_new, self._new = first, self._tokens(texts)
        try:
            yield
        finally:
            self._new = None

    def of(self, rows: Tensor) -> Tokens:
        """The tokens `[..., width]` of the texts `rows` `[...]`; of -1 none.

        Raises
        ------
        IndexError: there is no such text.
        """
        if self._new is None:
            return _of_rows(self._own, rows)
        is_new = rows >= self._first_new
        own = _of_rows(self._own, rows.masked_fill(is_new, -1))
        new = _of_rows(self._new, (rows - self._first_new).masked_fill(~is_new, -1))
        own, new = (Tokens(*(F.pad(part, (0, self.width - part.shape[-1])) for part in tokens)) for tokens in (own, new))
        return Tokens(torch.where(is_new.unsqueeze(-1), new.ids, own.ids), torch.where(is_new.unsqueeze(-1), new.there, own.there))


def _of_rows(tokens: Tokens, rows: Tensor) -> Tokens:
    known = rows.clamp(min=0)
    return Tokens(tokens.ids[known].long(), tokens.there[known] & (rows >= 0).unsqueeze(-1))
