"""How well codes stand for the vectors they were learned from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NEIGHBOURS_OF = 500
"""Items whose nearest item is looked for."""

DEPTH = 3
"""The longest beginning of codes, of which it is measured whether nearest items share it."""

BATCH = 16_384


def shared_codes(vectors: Tensor, codes: Tensor) -> dict[str, float]:
    """`neighbours_share_...` and `chance_share_...` of at least two items, up to `DEPTH` codes; nothing of one. See `ItemCodes.report`.

    Parameters
    ----------
    vectors: `[M, D]`.   codes: `[M, levels]`.
    """
    total = len(codes)
    if total < 2:
        return {}
    items = torch.linspace(0, total - 1, min(total, NEIGHBOURS_OF), device=codes.device).long()
    nearest = _nearest_others(vectors, items)
    beginning, found = torch.zeros_like(codes[:, 0]), dict[str, float]()
    for depth, column in enumerate(codes[:, :DEPTH].unbind(1), start=1):
        _, beginning, counts = (beginning * (column.max() + 1) + column).unique(return_inverse=True, return_counts=True)
        shares, pairs = (beginning[items] == beginning[nearest]).double().mean(), counts.double()
        name = "first" if depth == 1 else f"first_{depth}"
        found |= {
            f"neighbours_share_{name}": float(shares),
            f"chance_share_{name}": float((pairs * (pairs - 1)).sum() / (total * (total - 1))),
        }
    return found


def reconstruction(vectors: Tensor, vectors_of: Callable[[slice], Tensor]) -> float:
    """1 - (squared error / squared distance from the mean), summed over the items; 1 where all vectors are equal.

    Parameters
    ----------
    vectors: `[M, D]`.   vectors_of: the vectors that the codes of a range of items stand for.
    """
    ranges = [slice(first, first + BATCH) for first in range(0, len(vectors), BATCH)]
    mean = (torch.stack([vectors[rows].sum(0, dtype=torch.float64) for rows in ranges]).sum(0) / len(vectors)).float()
    error = sum(float((vectors[rows] - vectors_of(rows)).square().sum(dtype=torch.float64)) for rows in ranges)
    spread = sum(float((vectors[rows] - mean).square().sum(dtype=torch.float64)) for rows in ranges)
    return 1.0 - error / spread if spread else 1.0


def _nearest_others(vectors: Tensor, items: Tensor) -> Tensor:
    """The item nearest to each of `items` `[n]` by the Euclidean distance, other than itself."""
    points = vectors[items].float()
    best = torch.full((len(items),), -torch.inf, device=vectors.device)
    nearest = torch.zeros_like(items)
    for first in range(0, len(vectors), BATCH):
        batch = vectors[first : first + BATCH].float()
        closeness = 2 * points @ batch.T - batch.square().sum(1)
        mine = items - first
        here = ((mine >= 0) & (mine < len(batch))).nonzero().squeeze(1)
        closeness[here, mine[here]] = -torch.inf
        found, at = closeness.max(1)
        nearest = torch.where(found > best, at + first, nearest)
        best = torch.maximum(found, best)
    return nearest
