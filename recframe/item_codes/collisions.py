"""Items whose codes collide, and the last code, which tells them apart (TIGER: Rajput et al. 2023, section 3.1, "handling collisions")."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_in_order(codes: Tensor) -> Tensor:
    """The order `[M]` of the rows of `codes` `[M, L]`, by the first column, then by the second, and so on; equal rows stay as they are."""
    order = torch.arange(len(codes), device=codes.device)
    for column in codes.unbind(1)[::-1]:
        order = order[column[order].argsort(stable=True)]
    return order


def suffixes(prefixes: Tensor) -> Tensor:
    """For each row of `prefixes` `[M, L]`, how many earlier rows are equal to it, `[M]` int64.

    Rows that are appended therefore leave the numbers of the earlier ones as they are.
    """
    order = rows_in_order(prefixes)
    ordered = prefixes[order]
    place = torch.arange(len(order), device=order.device)
    begins = torch.ones_like(place, dtype=torch.bool)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(1)
    begin = place.masked_fill(~begins, 0).cummax(0).values
    return torch.empty_like(order).scatter_(0, order, place - begin)


def group_sizes(prefixes: Tensor) -> Tensor:
    """How many items have the codes of each item, itself included, `[M]` int64."""
    _, group, counts = prefixes.unique(dim=0, return_inverse=True, return_counts=True)
    sizes: Tensor = counts[group]
    return sizes


def suffix_size(largest: int, size: int) -> int:
    """The codes of the last level where `largest` items share their codes: `size` doubled until there is room for as many new items."""
    while size < 2 * largest:
        size *= 2
    return size
