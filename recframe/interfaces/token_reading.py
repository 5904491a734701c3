"""A text as its tokens' vectors, for the question which words moved a text's vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor


class TokenReading(NamedTuple):
    """How a language model reads one text of L tokens: as a differentiable function of their E numbers each.

    vectors: `[L, E]`, the vectors of the tokens as they enter the model.
    blank: `[L, E]`, the same for a text of which nothing is known: each token of the text is replaced by that for a masked word or, where
        the model has none, for padding. Prompts and special tokens are the same in both.
    spans: for each token, the place (start, end) of its characters in the text; None: it is of the prompt, or a special token.
    encode: maps tokens' vectors `[n, L, E]` to text vectors `[n, D]`, with gradient; `vectors` to what `Encoder.encode` gives.
    """

    vectors: Tensor
    blank: Tensor
    spans: Sequence[tuple[int, int] | None]
    encode: Callable[[Tensor], Tensor]
