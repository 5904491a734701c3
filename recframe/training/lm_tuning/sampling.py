"""Choosing what a limited budget is spent on, so that what is chosen stands for all."""

from __future__ import annotations

import torch
from torch import Tensor


def budgeted_sample(sizes: Tensor, costs: Tensor, budget: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows whose costs add up to `budget` at most, drawn with more luck the larger they are, and the weight of each.

    A sum over all rows is estimated without bias by the weighted sum over those chosen, whatever is summed; the estimate varies least
    where it is about as large as `sizes`. Priority sampling (Duffield, Lund and Thorup, 2007) with a threshold that adapts to the budget
    (Ting, 2022): row i has the priority sizes[i] / u_i, u_i uniform in (0, 1]; rows are taken by priority until one does not fit, its
    priority is the threshold t, and a row taken is one that had the probability min(1, sizes[i] / t). If all rows fit, all are taken.

    Parameters
    ----------
    sizes: `[n]`, >= 0; rows of size 0 are never taken.    costs: `[n]` int64, none of them above `budget`.

    Returns
    -------
    Row numbers `[m]`, and weights `[m]` >= 1.
    """
    rows = sizes.nonzero().squeeze(1)
    # drawn in any case: how much luck a step needs must not depend on whether all fits
    luck = 1 - torch.rand(len(sizes), generator=generator, dtype=torch.float64)
    if int(costs[rows].sum()) <= budget:
        return rows, torch.ones(len(rows))
    priorities = sizes.double() / luck
    rows = rows[priorities[rows].argsort(descending=True)]
    taken = int((costs[rows].cumsum(0) <= budget).sum())
    threshold = priorities[rows[taken]]
    rows = rows[:taken]
    return rows, (threshold / sizes[rows]).clamp(min=1).float()
