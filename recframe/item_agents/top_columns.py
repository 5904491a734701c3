"""The k largest numbers of long rows, found by blocks: taking a block's maximum is much faster than selecting number by number."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 64
"""Contiguous numbers in a block of `largest`: few enough that the maximum of a block is computed in one vectorized pass."""

FEW = 2**16
"""Numbers in all rows together below which blocks do not pay."""


def top_columns(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row of `values` `[N, m]`, largest first, and their columns, both `[N, min(k, m)]`.

    The k largest numbers lie in the k blocks with the largest maxima. The maxima take one pass at the speed of memory. The selection then
    runs over the maxima and over k blocks instead of the row; they hold the fewest numbers where a block has sqrt(m / k) of them.
    """
    if k == 1:
        return largest(values)
    users, size = values.shape
    block = math.isqrt(size // k)
    if block < 4:
        top, columns = values.topk(min(k, size), dim=1)
        return top, columns
    blocks = size // block
    # block b is the columns b, b + blocks, b + 2 blocks and so on; the rest at the end is always searched
    whole = blocks * block
    maxima = values[:, :whole].view(users, block, blocks).amax(dim=1)
    offsets = torch.arange(0, whole, blocks, device=values.device)
    columns = (maxima.topk(k, dim=1, sorted=False).indices.unsqueeze(2) + offsets).flatten(1)
    rest = torch.arange(whole, size, device=values.device).expand(users, -1)
    columns = torch.cat([columns, rest], dim=1)
    top, kept = values.gather(1, columns).topk(k, dim=1)
    return top, columns.gather(1, kept)


def best_so_far(best: tuple[Tensor, Tensor] | None, values: Tensor, items: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of the `best` values `[N, k]` so far, if any, and of further `values` `[N, j]`, largest first, and their items."""
    if best is None:
        return values, items
    values, kept = torch.cat([best[0], values], dim=1).topk(k, dim=1)
    return values, torch.cat([best[1], items], dim=1).gather(1, kept)


def largest(values: Tensor) -> tuple[Tensor, Tensor]:
    """The largest number of each row of `values` `[N, m]` and its column, both `[N, 1]`: the first one of several.

    The same as `values.max(dim=1, keepdim=True)`, provided that no value is NaN.
    """
    size = values.shape[1]
    whole = size // BLOCK * BLOCK
    if values.numel() < FEW or not whole:
        top, columns = values.max(dim=1, keepdim=True)
        return top, columns
    blocks = values[:, :whole].view(len(values), -1, BLOCK)
    top, block = blocks.amax(dim=2).max(dim=1, keepdim=True)
    inside = blocks.gather(1, block.unsqueeze(2).expand(-1, 1, BLOCK)).squeeze(1)
    columns = block * BLOCK + inside.argmax(dim=1, keepdim=True)
    if whole < size:
        last, position = values[:, whole:].max(dim=1, keepdim=True)
        top, columns = torch.maximum(top, last), torch.where(last > top, position + whole, columns)
    return top, columns
