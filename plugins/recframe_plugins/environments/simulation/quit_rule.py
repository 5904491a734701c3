"""The quit rule of rating-matrix simulators: a user leaves when too many of the recently shown items are too similar or too close."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, principal_coordinates

# a cosine must be on the same side of the bound however it is computed: an item is similar to itself even at a similarity of 1
ROUNDING = 1e-6


class QuitRule:
    """A user leaves after a slate if at least `count` of the last `window` items before it are similar to one of its items.

    Two items are similar if the cosine of their vectors is at least `similarity`; or, if a `distance` is given, if the Euclidean distance
    of their vectors is below it. `count` 0 switches the rule off. The first follows KuaiEnv (Gao et al. 2022, arXiv:2204.01266:
    leave_threshold, num_leave_compute), with vectors in place of tags; the second, with `count` 1 and the items' columns of the rating
    matrix as vectors, is that of EasyRL4Rec's Coat, Yahoo and MovieLens (Yu et al. 2024, arXiv:2402.15164).

    Parameters
    ----------
    vectors: `[M, B]`; for cosines with rows of length one (or zero).
    """

    def __init__(self, vectors: Tensor, window: int, count: int, similarity: float, distance: float | None = None) -> None:
        self.vectors = vectors
        self.window = window
        self.count = count
        self.similarity = similarity - ROUNDING
        self.distance = distance

    def __call__(self, recent: Tensor, slate: Tensor) -> Tensor:
        """Which users leave, `[N]` bool, after `slate` `[N, K]` if `recent` `[N, R]` was shown before it (newest last, `PAD` in front)."""
        if not self.count:
            return torch.zeros_like(slate[:, 0], dtype=torch.bool)
        present, items = self._recent(recent)
        similar = self._similar(self.vectors[items], F.embedding(slate, self.vectors))
        return (similar.any(dim=2) & present).sum(dim=1) >= self.count

    def of_all(self, recent: Tensor) -> Tensor:
        """Whether users would leave after each item shown alone, `[N, M]` bool."""
        present, items = self._recent(recent)
        num_similar = torch.zeros(len(recent), len(self.vectors), dtype=torch.int64, device=recent.device)
        if not self.count:
            return num_similar.bool()
        for place in range(present.shape[1]):
            similar = self._similar(self.vectors[items[:, place]], self.vectors)
            num_similar += similar & present[:, place, None]
        return num_similar >= self.count

    def _similar(self, vectors: Tensor, others: Tensor) -> Tensor:
        """Which items are similar by their vectors `[..., A, B]` and `[..., C, B]`, `[..., A, C]` bool."""
        if self.distance is None:
            return vectors @ others.transpose(-1, -2) >= self.similarity
        # from differences: by squares and products, an item would not be at distance 0 from itself
        return torch.cdist(vectors, others, compute_mode="donot_use_mm_for_euclid_dist") < self.distance

    def _recent(self, recent: Tensor) -> tuple[Tensor, Tensor]:
        recent = recent[:, max(0, recent.shape[1] - self.window) :]
        return recent != PAD, recent.clamp(min=0)


def principal_directions(vectors: Tensor, dims: int) -> Tensor:
    """Unit rows `[M, min(dims, D)]` of the leading principal components of `vectors` `[M, D]`; rows at the mean stay zero.

    Centring removes the component that all sentence embeddings share; with it, all items would be similar to each other.
    """
    return F.normalize(principal_coordinates(vectors, dims), dim=1).float()
