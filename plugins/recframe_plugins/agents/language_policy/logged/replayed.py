"""What the rules that learn from single interactions of a log have in common."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Observation, Replay, Transition


def replay_of(batch_size: int) -> Replay:
    """Interactions of a log, drawn uniformly."""
    return Replay(capacity=batch_size, batch_size=batch_size, learning_starts=1, updates_per_chunk=1)


def clicked(batch: Transition) -> Tensor:
    """Which items of the slates people took, `[B, K]` bool: those with a click, or all where clicks are not observed."""
    click = batch.response.signals.get("click", None)
    return torch.ones_like(batch.slate, dtype=torch.bool) if click is None else click > 0


def without_items(observation: Observation, items: Tensor) -> Observation:
    """The same users, who may not be shown `items` `[N, n]` besides what is excluded already."""
    copy: Observation = observation.clone(recurse=False)
    copy.excluded = items if observation.excluded is None else torch.cat([observation.excluded, items], dim=1)
    return copy
