"""How much better than expected a chunk's actions turned out: pure functions of rewards, values and how sessions ended."""

from __future__ import annotations

import torch
from torch import Tensor


def generalized_advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, gae_lambda: float
) -> Tensor:
    """Generalized advantages `[T, N]` (Schulman et al., 2016, equation 16), from `[T, N]` each, in order of time.

    value, next_value: V of the observations before and after each step; `next_value` is that of what a truncated step led to, too, and
    after a terminated one any number.

    A terminated session has no future. A truncated one has, and so has what the chunk cuts off: there V(next observation) stands for it.
    With `gae_lambda` of 1, advantage plus value is the discounted reward-to-go, with that stand-in.
    """
    delta = reward + gamma * next_value * ~terminated - value
    # nothing flows back from the session that took a finished one's place
    decay = gamma * gae_lambda * ~(terminated | truncated)
    advantages, following = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        following = delta[t] + decay[t] * following
        advantages[t] = following
    return advantages


def normalized(advantages: Tensor) -> Tensor:
    """The advantages with mean 0 and standard deviation 1, or all 0 where they do not differ."""
    centred = advantages - advantages.mean()
    return centred / (centred.square().mean().sqrt() + 1e-8)


def explained_variance(value: Tensor, returns: Tensor) -> Tensor:
    """1 - Var(returns - value) / Var(returns): 1 where the value foretells returns, 0 where a constant does as well; cut off at -1."""
    unexplained = (returns - value).var(correction=0) / returns.var(correction=0).clamp(min=1e-8)
    return (1 - unexplained).clamp(min=-1)
