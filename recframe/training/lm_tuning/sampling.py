"""Drawing a weighted sample of texts within a budget of tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def sample_within_budget(sizes: Tensor, costs: Tensor, budget: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows whose costs add up to at most `budget`, more likely the larger they are, and the weight of each.

    The weighted sum over the sampled rows is an unbiased estimate of the sum over all rows, whatever is summed; its variance is least for
    sums of numbers that are about proportional to `sizes`. Priority sampling (Duffield, Lund and Thorup, 2007) with a threshold that adapts
    to the budget (Ting, 2022): row i has the priority sizes[i] / u_i, with u_i uniform in (0, 1]; rows are taken by priority until one does
    not fit, whose priority is the threshold t; a taken row had the probability min(1, sizes[i] / t). If all rows fit, all are taken.

    Parameters
    ----------
    sizes: `[n]`, >= 0; rows of size 0 are never taken.    costs: `[n]` int64, none of them above `budget`.

    Returns
    -------
    Row numbers `[m]`, and weights `[m]` >= 1.
    """
    rows = sizes.nonzero().squeeze(1)
    # drawn in any case, so that the number of random draws does not depend on whether all rows fit
    uniform = 1 - torch.rand(len(sizes), generator=generator, dtype=torch.float64)
    if int(costs[rows].sum()) <= budget:
        return rows, torch.ones(len(rows))
    priorities = sizes.double() / uniform
    rows = rows[priorities[rows].argsort(descending=True)]
    taken = int((costs[rows].cumsum(0) <= budget).sum())
    threshold = priorities[rows[taken]]
    rows = rows[:taken]
    return rows, (threshold / sizes[rows]).clamp(min=1).float()
