"""Intra-list diversity: the mean cosine distance between the items of a list or a session (Ziegler et al., 2005)."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_distance(squared_sum: Tensor, squares: Tensor, items: Tensor) -> Tensor:
    """Mean cosine distance `1 - cos` of all pairs of items, `[N]` float64; NaN with fewer than two.

    With unit vectors v, `sum over i != j of v_i v_j = |sum v|^2 - sum |v|^2`, which avoids a loop over pairs.

    squared_sum: `[N]`, `|sum v|^2`.   squares: `[N]`, `sum |v|^2`.   items: `[N]`, their number.
    """
    items = items.double()
    similarity = (squared_sum.double() - squares) / (items * (items - 1))
    return torch.where(items > 1, 1.0 - similarity, torch.nan)
