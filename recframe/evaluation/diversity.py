"""Intra-list diversity: the mean cosine distance between the items of a list or a session (Ziegler et al., 2005)."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_distance(total: Tensor, squares: Tensor, items: Tensor) -> Tensor:
    """Mean cosine distance `1 - cos` of all pairs of items, `[N]`; NaN with fewer than two.

    With unit vectors v, `sum over i != j of v_i v_j = |sum v|^2 - sum |v|^2`, which avoids a loop over pairs.

    total: `[N, D]` float64, the sum of the unit vectors.   squares: `[N]`, the sum of their squared lengths.   items: `[N]`, their number.
    """
    items = items.double()
    similarity = (total.pow(2).sum(dim=1) - squares) / (items * (items - 1))
    return torch.where(items > 1, 1.0 - similarity, torch.nan)
