"""The mean observed reward of each item, shrunk towards the overall mean."""

from __future__ import annotations

import torch
from torch import Tensor

# pseudo-observations at the overall mean that each item starts with
SHRINKAGE = 5.0


def mean_item_rewards(slates: Tensor, item_rewards: Tensor, num_items: int) -> Tensor:
    """Mean reward of each item where it was shown, shrunk to the overall mean, float64 `[M]`.

    slates: `[n, K]` int64.   item_rewards: `[n, K]`.
    """
    items, rewards = slates.flatten(), item_rewards.flatten().double()
    sums = torch.zeros(num_items, dtype=torch.float64, device=items.device).index_add_(0, items, rewards)
    return shrunk_means(sums, torch.bincount(items, minlength=num_items), rewards.mean(), SHRINKAGE)


def shrunk_means(sums: Tensor, counts: Tensor, overall: Tensor, shrinkage: float) -> Tensor:
    """`(sum_i + s m) / (n_i + s)` with the overall mean m and the shrinkage s, `[M]`.

    sums: `[M]`, of the rewards of each item.   counts: `[M]`, how often each was shown.

    Without shrinkage, an item that was shown once could be the best by chance.
    """
    return (sums + shrinkage * overall) / (counts + shrinkage)
