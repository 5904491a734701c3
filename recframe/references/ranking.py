"""Slates from an order of the items, for the popular and the fixed-slate policies."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Observation, is_excluded


def ranked(scores: Tensor) -> Tensor:
    """All items `[M]` by `scores` `[M]`, best first. Items with equal scores keep the order of the catalogue."""
    return scores.argsort(descending=True, stable=True)


def positions_in(order: Tensor, num_items: int) -> Tensor:
    """Each item's position in `order` `[L]`, its last one if it has several, int64 `[M + 1]`.

    The last entry, which `PAD` (-1) indexes, is larger than `2 L`: missing items come after all others.
    """
    positions = torch.full((num_items + 1,), 3 * len(order), device=order.device)
    return positions.scatter_reduce_(0, order, torch.arange(len(order), device=order.device), "amax", include_self=False)


def first_items(observation: Observation, items: Tensor, positions: Tensor, k: int) -> Tensor:
    """The k of the different `items` `[N, C]` that have the lowest `positions` `[N, C]` and are not excluded, `[N, min(k, C)]`."""
    positions = positions.masked_fill(is_excluded(observation, items), torch.iinfo(positions.dtype).max)
    # a finished session may have no candidates, only PAD: any item will do
    return items.gather(1, positions.topk(min(k, items.shape[1]), dim=1, largest=False).indices).clamp(min=0)


def num_excluded(observation: Observation) -> int:
    """The width E of the observation's excluded items, 0 if it has none."""
    return 0 if observation.excluded is None else observation.excluded.shape[1]
