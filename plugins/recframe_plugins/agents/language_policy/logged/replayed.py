"""What the rules that learn from single interactions of a log have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation, Replay, Transition

KL_CONTEXTS = 16
"""Contexts of a batch in which the divergence from the reference is measured where it is not part of the loss, by items drawn for it."""


def replay_of(batch_size: int) -> Replay:
    """Interactions of a log, drawn uniformly, with what could be recommended."""
    return Replay(capacity=batch_size, batch_size=batch_size, learning_starts=1, updates_per_chunk=1, with_choices=True)


def taken_before(observation: Observation, signals: Sequence[str]) -> Tensor:
    """The items of the histories that people took, `[N, H]`, `PAD` for others: those with a click, or all where clicks are not observed."""
    items = observation.history_items
    if "click" not in signals:
        return items
    return items.masked_fill(observation.history_feedback[..., signals.index("click")] <= 0, PAD)


def clicked(batch: Transition) -> Tensor:
    """Which items of the slates people took, `[B, K]` bool: those with a click, or all where clicks are not observed."""
    click = batch.response.signals.get("click", None)
    return torch.ones_like(batch.slate, dtype=torch.bool) if click is None else click > 0


def without_items(observation: Observation, items: Tensor) -> Observation:
    """The same users, who may not be shown `items` `[N, n]` besides what is excluded already."""
    copy: Observation = observation.clone(recurse=False)
    copy.excluded = items if observation.excluded is None else torch.cat([observation.excluded, items], dim=1)
    return copy
