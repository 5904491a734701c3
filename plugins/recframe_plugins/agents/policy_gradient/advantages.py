"""Advantages of a chunk's actions, as functions of its rewards, values and session ends."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import mean_of_all


def generalized_advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantages `[T, N]` (Schulman et al., 2016, equation 16) of arguments `[T, N]`, in order of time.

    value, next_value: V of the observations before and after each step. After a truncated step, `next_value` is that of the observation
    it led to; after a terminated step it has no effect.

    A terminated session has no future. For the future of a truncated session, or of one that the chunk's end cuts off, V(next observation)
    is used. With `gae_lambda` of 1, advantage plus value is the discounted reward-to-go that ends in such a value.
    """
    delta = reward + gamma * next_value.masked_fill(terminated, 0.0) - value
    # nothing flows back from the session that replaced a finished one
    decay = gamma * gae_lambda * ~(terminated | truncated)
    advantages, following = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        following = delta[t] + decay[t] * following
        advantages[t] = following
    return advantages


def normalized(advantages: Tensor) -> Tensor:
    """The advantages scaled to mean 0 and standard deviation 1, or all 0 if they do not differ."""
    centred = advantages - mean_of_all(advantages)
    return centred / (mean_of_all(centred.square()).sqrt() + 1e-8)


def explained_variance(value: Tensor, returns: Tensor) -> Tensor:
    """1 - Var(returns - value) / Var(returns): 1 if the values predict the returns, 0 if a constant does as well; at least -1."""
    unexplained = (returns - value).var(correction=0) / returns.var(correction=0).clamp(min=1e-8)
    return (1 - unexplained).clamp(min=-1)
