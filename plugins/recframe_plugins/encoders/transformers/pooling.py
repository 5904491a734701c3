"""Pooling: one vector for a text from the vectors of its tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def cls(hidden: Tensor, mask: Tensor) -> Tensor:
    """The first token's vector (Devlin et al., 2019)."""
    return _token(hidden, mask.to(torch.uint8).argmax(dim=1))


def last(hidden: Tensor, mask: Tensor) -> Tensor:
    """The last token's vector, the only one that depends on the whole text in a causal model (Neelakantan et al., 2022)."""
    return _token(hidden, hidden.shape[1] - 1 - mask.to(torch.uint8).flip(1).argmax(dim=1))


def mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean of the tokens' vectors (Reimers and Gurevych, 2019)."""
    return _weighted(hidden, mask.to(hidden.dtype))


def weighted_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean with weight i for a text's i-th token (Muennighoff, 2022, SGPT: GPT sentence embeddings for semantic search)."""
    return _weighted(hidden, (mask.cumsum(dim=1) * mask).to(hidden.dtype))


POOLING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cls": cls, "last": last, "mean": mean, "weighted_mean": weighted_mean}
"""Each maps tokens' vectors `[n, L, D]` and the mask of true tokens `[n, L]` (int64, at least one per row) to `[n, D]`.

Padding may be on either side and does not change the result.
"""


def _token(hidden: Tensor, positions: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), positions]


def _weighted(hidden: Tensor, weights: Tensor) -> Tensor:
    # a matrix product, which makes no weighted copy of all tokens
    total = (weights / weights.sum(dim=1, keepdim=True)).unsqueeze(1)
    return torch.bmm(total, hidden).squeeze(1)
