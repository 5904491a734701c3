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
    return mean_values(slates.flatten(), item_rewards.flatten().double(), num_items)


def mean_values(items: Tensor, values: Tensor, num_items: int) -> Tensor:
    """The mean of the `values` `[n]` of each item, given the items `[n]` that they belong to, shrunk to the overall mean, `[M]`."""
    sums = values.new_zeros(num_items).index_add_(0, items, values)
    return shrunk_means(sums, torch.bincount(items, minlength=num_items), values.mean(), SHRINKAGE)


def shrunk_means(sums: Tensor, counts: Tensor, overall: Tensor, shrinkage: float) -> Tensor:
    """`(sum_i + s m) / (n_i + s)` with the overall mean m and the shrinkage s, `[M]`.

    sums: `[M]`, of the rewards of each item.   counts: `[M]`, how often each was shown.

    Without shrinkage, an item that was shown once could be the best by chance.
    """
    return (sums + shrinkage * overall) / (counts + shrinkage)
