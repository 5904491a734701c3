"""Returns over several steps, put together when a ring of transitions is sampled (Sutton, 1988)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Ring(NamedTuple):
    """Where transitions of `users` people at a time lie: over `capacity` rows, the next one to be written at `position`."""

    capacity: int
    position: int
    users: int

    def successors(self, rows: Tensor) -> Tensor:
        """How many later steps of the same user are held, for each of `rows`; the shape of `rows`.

        A user's next step lies `users` rows further, round the ring, up to the newest row.
        """
        age = (self.position - 1 - rows) % self.capacity
        return age // self.users


class Return(NamedTuple):
    """What the first steps from B rows earned, reward `[B]`, their number as `discount` gamma^k `[B]`, and the row `[B]` of the last."""

    reward: Tensor
    discount: Tensor
    last: Tensor


def n_step_return(ring: Ring, rows: Tensor, rewards: Tensor, ended: Tensor, n: int, gamma: float) -> Return:
    """sum_{j < k} gamma^j r_{t + j} from each of `rows` `[B]`, where k <= n stops at the session's end and at the newest step.

    `rewards` and `ended` (terminated or truncated) are those of the whole ring, `[capacity]`.
    """
    steps = torch.arange(n, device=rows.device)
    following = (rows.unsqueeze(1) + steps * ring.users) % ring.capacity
    goes_on = (~ended[following[:, :-1]]).cumprod(dim=1).bool() & (steps[1:] <= ring.successors(rows).unsqueeze(1))
    counted = torch.cat([torch.ones_like(rows, dtype=torch.bool).unsqueeze(1), goes_on], dim=1)
    discounts = gamma ** steps.to(rewards.dtype)
    reward = (rewards[following] * discounts).masked_fill(~counted, 0.0).sum(dim=1)
    length = counted.sum(dim=1)
    last = following.gather(1, length.unsqueeze(1) - 1).squeeze(1)
    return Return(reward, gamma ** length.to(rewards.dtype), last)
