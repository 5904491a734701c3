"""Lists so long that they hold every item a user has not seen: they find what is asked for, whatever the policy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.interfaces import PAD
from recframe.logs import HeldOut

QUERIES_AT_ONCE = 1_024


def whole_lists(held_out: HeldOut, num_items: int, ks: Sequence[int]) -> dict[int, int]:
    """For each k below M of whose lists some hold all unseen items: the number of such queries.

    num_items: M.
    """
    below = sorted({k for k in ks if k < num_items})
    if not below or int(held_out.history_lengths.max()) < num_items - below[-1]:
        return {}
    seen = [queries.observation.excluded for queries in held_out.batches(QUERIES_AT_ONCE, 1)]
    unseen = torch.cat([num_items - different(items) for items in seen if items is not None])
    counts = {k: int((unseen <= k).sum()) for k in below}
    return {k: count for k, count in counts.items() if count}


def different(items: Tensor) -> Tensor:
    """The number of different items in each row of `[N, L]`, without `PAD`, `[N]`."""
    ordered = items.sort(dim=1).values
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return (first & (ordered != PAD)).sum(dim=1)
