"""Probabilities of codes among those that are open: those that lead to an item that may be shown."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Taken(NamedTuple):
    """Codes taken, in tensors of one shape.

    log_prob: -inf where the code was not open.   entropy: of the choice.   is_choice: bool, whether more than one code was open.
    """

    log_prob: Tensor
    entropy: Tensor
    is_choice: Tensor


def open_log_probs(logits: Tensor, is_open: Tensor) -> Tensor:
    """The log-softmax `[..., S]` float32 over the open codes, -inf for others, also where none is open."""
    scores = logits.float().masked_fill(~is_open, -torch.inf)
    # a softmax over nothing is NaN
    scores = scores.masked_fill(~is_open.any(dim=-1, keepdim=True), 0.0)
    return scores.log_softmax(dim=-1).masked_fill(~is_open, -torch.inf)


def taken(log_probs: Tensor, codes: Tensor) -> Taken:
    """What of log-probabilities `[..., S]` belongs to the codes taken, `[...]`."""
    closed = log_probs.isneginf()
    entropy = -(log_probs.exp() * log_probs.masked_fill(closed, 0.0)).sum(dim=-1)
    return Taken(log_probs.gather(-1, codes.unsqueeze(-1)).squeeze(-1), entropy, (~closed).sum(dim=-1) > 1)


def drawn(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Codes `[...]` drawn from log-probabilities `[..., S]` by the inverse of their distribution function, at `uniform` `[...]` float64.

    Summed in double precision: in single precision, improbable codes could never be drawn.
    """
    below = log_probs.double().exp().cumsum(dim=-1)
    codes = torch.searchsorted(below, uniform.unsqueeze(-1) * below[..., -1:], right=True).squeeze(-1)
    last_open = log_probs.shape[-1] - 1 - (log_probs.flip(-1) > -torch.inf).int().argmax(dim=-1)
    return torch.minimum(codes, last_open)
