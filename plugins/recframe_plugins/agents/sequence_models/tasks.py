"""What a sequence model predicts from what: the next item at each place, or masked items from those around them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation, SequenceBatch

LAST_ONLY = 1 / 11
"""Share of the sequences of which only the last item is masked, as it is when a recommendation is made. BERT4Rec adds one such sample to
ten with random masks (Sun et al., 2019, section 3.6, and its code)."""


class Task(NamedTuple):
    """B sequences of L places.

    observation: `[B]`, with the items that are read as its history `[B, L]`.
    target: `[B, L]` int64, the item that the state at each place predicts; `PAD`: none.
    masked: `[B, L]` bool, the places whose item is not read; None: none.
    """

    observation: Observation
    target: Tensor
    masked: Tensor | None = None


def next_item_task(batch: SequenceBatch) -> Task:
    """Predict the item after each place, where it was clicked."""
    items, following = batch.item[:, :-1], batch.item[:, 1:]
    target = following.masked_fill(items == PAD, PAD)
    if batch.clicked is not None:
        target = target.masked_fill(~batch.clicked[:, 1:], PAD)
    return Task(_read(batch.user, items, batch.feedback[:, :-1]), target)


def cloze_task(batch: SequenceBatch, share: float, generator: torch.Generator) -> Task:
    """Predict masked items that were clicked, whose feedback is hidden too (the Cloze task of BERT4Rec; Sun et al., 2019, section 3.6)."""
    masked = cloze_mask(batch.item != PAD, share, generator)
    predicted = masked if batch.clicked is None else masked & batch.clicked
    target = torch.where(predicted, batch.item, PAD)
    return Task(_read(batch.user, batch.item, batch.feedback.masked_fill(masked.unsqueeze(2), 0.0)), target, masked)


def cloze_mask(present: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The places that are masked, `[B, L]` bool, out of those `present` `[B, L]`, of which the last place is one.

    Each is masked with probability `share`. In `LAST_ONLY` of the sequences, and where no place was drawn, the last alone is masked.
    """
    draws = torch.rand(present.shape, generator=generator, device=present.device)
    masked = (draws < share) & present
    last_only = torch.rand(len(present), generator=generator, device=present.device) < LAST_ONLY
    last = torch.arange(present.shape[1], device=present.device) == present.shape[1] - 1
    return torch.where((last_only | ~masked.any(dim=1)).unsqueeze(1), last, masked)


def _read(user: Tensor, items: Tensor, feedback: Tensor) -> Observation:
    return Observation(user=user, history_items=items, history_feedback=feedback, batch_size=[len(user)])
