"""What a decision transformer predicts from what: the items of a sequence, each from the return that was still to come."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Observation, SequenceBatch


class ReturnTask(NamedTuple):
    """B sequences of H places, of which each predicts the item after it.

    observation: `[B]`, with the items that are read as its history `[B, H]`. `PAD` before the first item is the beginning of the sequence.
    taken: `[B, H]` int64, the item after each place; `PAD`: none.
    returns: `[B, H]`, the sum of the rewards of that item and of all later ones of the batch's window. At successive places it differs by
        the reward received: R_{t+1} = R_t - r_t.
    """

    observation: Observation
    taken: Tensor
    returns: Tensor

    @classmethod
    def of(cls, batch: SequenceBatch, length: int, horizon: int, generator: torch.Generator) -> ReturnTask:
        """The task of a batch of windows of up to `length` + `horizon` interactions, of which `length` places are read.

        Which ones is drawn uniformly from those after which `horizon` interactions, or the end of the sequence, follow. A sequence that is
        shorter than a window is known from its beginning, which is a place too, from which its first item is predicted.
        """
        # one place more than a window has, for what is known before the first item
        missing = length + horizon + 1 - batch.item.shape[1]
        item, feedback = F.pad(batch.item, (missing, 0), value=PAD), F.pad(batch.feedback, (0, 0, missing, 0))
        returns = returns_to_go(F.pad(batch.reward, (missing, 0)))

        first = (item == PAD).sum(dim=1)
        # a full window may have begun anywhere in its sequence, and a shorter one is all of it
        whole = first > 1
        earliest = torch.where(whole, first - 1, first)
        latest = torch.where(whole | batch.terminated, horizon, 1)
        earliest = torch.minimum(earliest, latest)
        draws = torch.rand(len(item), generator=generator, device=item.device, dtype=torch.float64)
        start = earliest + (draws * (latest - earliest + 1)).long()

        places = start.unsqueeze(1) + torch.arange(length + 1, device=item.device)
        item, returns = item.gather(1, places), returns.gather(1, places)
        feedback = feedback.gather(1, places.unsqueeze(2).expand(-1, -1, feedback.shape[2]))
        observation = Observation(
            user=batch.user, history_items=item[:, :-1], history_feedback=feedback[:, :-1], batch_size=[len(batch.user)]
        )
        return cls(observation, item[:, 1:], returns[:, 1:])

    @property
    def first_returns(self) -> Tensor:
        """The return at the first place of each sequence, `[B]`."""
        return self.returns.gather(1, (self.taken == PAD).sum(dim=1, keepdim=True)).squeeze(1)


def returns_to_go(rewards: Tensor) -> Tensor:
    """The sum of the rewards from each place on, `[B, W]`, of rewards `[B, W]`."""
    return rewards.flip(1).cumsum(dim=1).flip(1)


def returns_asked_for(target: Tensor, rewards: Tensor) -> Tensor:
    """The return still to come after each place of a history, `[N, H]`, if `target` is that at its first place.

    It is the target minus the rewards received since, `rewards` `[N, H]`, 0 where there is no item: algorithm 1 of Chen et al. (2021). The
    first place is the beginning of the sequence, or the oldest item where the history is full: what was earned before it is not known.
    """
    return target - (rewards.cumsum(dim=1) - rewards[:, :1])
