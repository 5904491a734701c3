"""A text as its tokens' vectors, for integrated gradients: what the layer of token vectors gives is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recframe.interfaces import TokenReading


def read_tokens(
    model: nn.Module, tokenizer: Any, text: str, prompt: str, max_length: int | None, differentiable: Callable[[Sequence[str]], Tensor]
) -> TokenReading | None:
    """The reading of a text, or None: the tokenizer does not tell where its tokens are, or the model hides its layer of token vectors.

    model: a transformer.   differentiable: the vectors `[n, D]` of n texts, with the prompt, through `model`.
    """
    layer = getattr(model, "get_input_embeddings", lambda: None)()
    if not isinstance(layer, nn.Module) or not getattr(tokenizer, "is_fast", False):
        return None
    encoded = tokenizer(prompt + text, truncation=max_length is not None, max_length=max_length, return_offsets_mapping=True, verbose=False)
    ids = encoded["input_ids"]
    spans = [_span(begin - len(prompt), end - len(prompt)) for begin, end in encoded["offset_mapping"]]
    tokens: list[Any] = [tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id]
    blank = next((int(token) for token in tokens if token is not None), None)
    if not ids or blank is None:
        return None
    device = next(model.parameters()).device
    with torch.no_grad():
        own = layer(torch.tensor([ids, [token if span is None else blank for token, span in zip(ids, spans, strict=True)]], device=device))

    def encode(vectors: Tensor) -> Tensor:
        replaced = layer.register_forward_hook(lambda *_: vectors)
        try:
            return differentiable([text] * len(vectors))
        finally:
            replaced.remove()

    return TokenReading(own[0], own[1], spans, encode)


def _span(begin: int, end: int) -> tuple[int, int] | None:
    # special tokens have no characters; a token that crosses from the prompt into the text is the text's from its begin on
    return (max(begin, 0), end) if end > max(begin, 0) else None
