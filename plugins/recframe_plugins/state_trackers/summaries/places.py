"""Up to which item of a history a sentence goes, and which items it is about: a function of the history alone.

A sentence must be the same in acting, in a replayed batch and after a resume, so nothing is counted from step to step. While a history is
shorter than the H items of an observation, a sentence goes up to a multiple of `every`. Of a longer one nobody knows how many items came
before. Its place is then chosen by content, as in winnowing (Schleimer et al., 2003): of the last `every` places, the one whose item has
the smallest hash. A place that was chosen stays chosen until it is `every` items old or a smaller hash comes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation

AGE_BITS = 20
"""Of a hash, the bits that are replaced by the age of a place."""
MIX = (-0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
"""The constants of splitmix64 (Steele et al., 2014), as signed numbers."""


class Summarized(NamedTuple):
    """The L items that each user's sentence is about, the oldest first, `[N, L]` int64 with `PAD` in front, and what was done with them,
    `[N, L, F]`. All `PAD`: there is no sentence.
    """

    items: Tensor
    feedback: Tensor

    @property
    def keys(self) -> Tensor:
        """A hash of each user's items and feedback, `[N]` int64."""
        # plus 0 makes 0 of -0, which has other bits
        bits = (self.feedback.contiguous().float() + 0.0).view(torch.int32).flatten(1).long()
        return hashed(torch.cat([self.items, bits], dim=1))


def summarized(observation: Observation, every: int, length: int, history_length: int) -> Summarized:
    """The items that the sentences are about.

    every: see the module.   length: L, at most H - every + 1.   history_length: H of the specification; the observation's history may be
        longer by `PAD`s in front.
    """
    items, feedback = observation.history_items, observation.history_feedback
    size, known = items.shape[1], (items != PAD).sum(dim=1)
    end = size - known % every
    age = torch.arange(min(every, size), device=items.device)
    newest = size - 1 - age
    hashes = hashed(torch.stack([items[:, newest], items[:, (newest - 1).clamp(min=0)]], dim=2))
    # of equal hashes, the newest
    by_content = size - ((hashes >> AGE_BITS << AGE_BITS) + age).argmin(dim=1)
    end = torch.where(known < history_length, end, by_content)
    places = end.unsqueeze(1) + torch.arange(-length, 0, device=items.device)
    there = (places >= size - known.unsqueeze(1)) & (known >= every).unsqueeze(1)
    places = places.clamp(min=0)
    chosen = items.gather(1, places).masked_fill(~there, PAD)
    done = feedback.gather(1, places.unsqueeze(2).expand(-1, -1, feedback.shape[2])).masked_fill(~there.unsqueeze(2), 0.0)
    return Summarized(chosen, done)


def hashed(values: Tensor) -> Tensor:
    """Hashes `[...]` int64 of sequences of integers `[..., n]`: each number is mixed, and so is the sum of the mixed ones, times powers."""
    step = torch.arange(1, values.shape[-1] + 1, device=values.device) * MIX[0]
    return _mixed((_mixed(values + step) * (2 * step + 1)).sum(dim=-1))


def _mixed(values: Tensor) -> Tensor:
    """The finalizer of splitmix64, on signed numbers whose shifts keep the sign."""
    values = (values ^ (values >> 30)) * MIX[1]
    values = (values ^ (values >> 27)) * MIX[2]
    return values ^ (values >> 31)
