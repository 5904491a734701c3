"""The beginnings of histories: what was known at each of their places."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces.types import PAD, Observation


def beginnings(observation: Observation) -> Observation:
    """The observations `[N * H]` of which number n * H + t has the history of user n up to and with place t, padded in front."""
    items, feedback = observation.history_items, observation.history_feedback
    length = items.shape[1]
    repeated: Observation = observation.repeat_interleave(length, dim=0)
    repeated.history_items = trailing_windows(items.unsqueeze(2), length, PAD).flatten(0, 1).squeeze(2)
    repeated.history_feedback = trailing_windows(feedback, length, 0).flatten(0, 1)
    return repeated


def trailing_windows(values: Tensor, length: int, padding: float) -> Tensor:
    """`[N, H, length, X]`: the last `length` of the values `[N, H, X]` up to each place, with `padding` in front."""
    padded = F.pad(values, (0, 0, length - 1, 0), value=padding)
    return padded.unfold(1, length, 1).transpose(2, 3)
