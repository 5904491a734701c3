"""Texts as tokens, and tokens as one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int | None) -> list[list[int]]:
    """The tokens of each text, special ones included, cut to `max_length` if there is one, without padding."""
    encoded = tokenizer(
        list(texts),
        truncation=max_length is not None,
        max_length=max_length,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        # without a limit, a tokenizer warns of texts that are too long for its model
        verbose=False,
    )
    rows: list[list[int]] = encoded["input_ids"]
    return rows


def padded(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of tokens as a matrix `[n, L]`, padded on the tokenizer's side, and the mask of its true tokens `[n, L]`, both int64."""
    # a tokenizer advises once against this call, in favour of tokenizing and padding at once; here batches are formed in between
    tokenizer.deprecation_warnings["Asking-to-pad-a-fast-tokenizer"] = True
    batch = tokenizer.pad({"input_ids": [list(row) for row in rows]}, return_attention_mask=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    return ids.long(), mask.long()
