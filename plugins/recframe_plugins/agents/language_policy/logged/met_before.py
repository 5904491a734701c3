"""Items that people have met at each place of a sequence, and the codes that lead to no other items there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD
from recframe.item_codes import CodeTree

MAX_PAIRS = 1 << 22
"""Pairs of a place and an item met in its sequence that are compared at once: 32 MB of numbers."""


class MetBefore:
    """What may not be recommended in B sequences because it was met before.

    A code is closed from the moment on at which the last item below it was met. So each item closes at most one node of each level: found
    once for a sequence, and not for each of its places, of which there may be as many.

    Parameters
    ----------
    earlier: `[B, E]` int64, the items before those of a batch.   items: `[B, T]` int64, those of the batch; both in order, `PAD` for none.
    among: `[M]` bool, the items that may be written at all; None: all.

    Attributes
    ----------
    again: `[B, T]` bool, whether the item was met at an earlier place of its sequence.
    """

    def __init__(self, tree: CodeTree, earlier: Tensor, items: Tensor, among: Tensor | None) -> None:
        self.tree = tree
        self.first = earlier.shape[1]
        whole = torch.cat([earlier, items], dim=1)
        again = (_earlier_alike(whole) > 0) & (whole != PAD)
        self.again = again[:, self.first :]
        self.nodes = tree.path(whole.masked_fill(again, PAD))
        self.allowed = tree.anyone(len(items), among)

    def closed(self, level: int, node: Tensor, sequence: Tensor, place: Tensor) -> Tensor:
        """Which codes of a level lead only to items met before, `[n, S]` bool, after each `node` `[n]`.

        Each is of a `sequence` `[n]`, of which the items of the batch up to `place` `[n]`, included, were met.
        """
        tree, child = self.tree, self.nodes[..., level + 1]
        at = child.clamp(min=0)
        closes = (child >= 0) & (_earlier_alike(child) + 1 == self.allowed.count(tree.first[at], tree.end[at]))
        parent = self.nodes[..., level].masked_fill(~closes, -1)
        width, size = tree.sizes[level], max(MAX_PAIRS // max(child.shape[1], 1), 1)
        column = torch.arange(child.shape[1], device=child.device)
        parts = []
        for one, of, until in zip(node.split(size), sequence.split(size), place.split(size), strict=True):
            here = (parent[of] == one.unsqueeze(1)) & (column <= until.unsqueeze(1) + self.first)
            codes = tree.code[at[of]].masked_fill(~here, width)
            parts.append(torch.zeros(len(one), width + 1, dtype=torch.bool, device=node.device).scatter_(1, codes, True)[:, :width])
        return torch.cat(parts)


def _earlier_alike(values: Tensor) -> Tensor:
    """How many earlier values of its row `[B, T]` are equal to each, `[B, T]` int64."""
    ordered, order = values.sort(dim=1, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(values)
    begins = F.pad(ordered[:, 1:] != ordered[:, :-1], (1, 0), value=True)
    rank = places - places.where(begins, torch.zeros_like(places)).cummax(dim=1).values
    return torch.empty_like(rank).scatter_(1, order, rank)
