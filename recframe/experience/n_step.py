"""n-step returns, computed when transitions are sampled from a ring buffer (Sutton, 1988)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Ring(NamedTuple):
    """The layout of a ring buffer of `capacity` rows, written `users` rows at a time; `position` is the row to write next."""

    capacity: int
    position: int
    users: int

    def successors(self, rows: Tensor) -> Tensor:
        """The number of later steps of the same user in the buffer, for each of `rows`; of the shape of `rows`.

        A user's next step is `users` rows further in the ring, up to the newest row.
        """
        age = (self.position - 1 - rows) % self.capacity
        return age // self.users


class Return(NamedTuple):
    """n-step returns from B rows.

    reward: `[B]`, the discounted sum of the rewards.   discount: `[B]`, gamma^k after k steps.   last: `[B]` int64, the last step's row.
    """

    reward: Tensor
    discount: Tensor
    last: Tensor


def n_step_return(ring: Ring, rows: Tensor, rewards: Tensor, ended: Tensor, n: int, gamma: float) -> Return:
    """sum_{j < k} gamma^j r_{t + j} from each of `rows` `[B]`; k is n, or less where the session or the buffer ends before.

    `rewards` and `ended` (terminated or truncated) are those of the whole buffer, `[capacity]`.
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
