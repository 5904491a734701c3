"""The quit rule of rating-matrix simulators: a user leaves when too many of the recently shown items are too similar."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, principal_coordinates

# a cosine must be on the same side of the bound however it is computed: an item is similar to itself even at a similarity of 1
ROUNDING = 1e-6


class QuitRule:
    """A user leaves after a slate if at least `count` of the last `window` items before it are similar to one of its items.

    Two items are similar if the cosine of their vectors is at least `similarity`. The rule follows KuaiEnv (Gao et al. 2022,
    arXiv:2204.01266: leave_threshold, num_leave_compute), with vectors in place of tags. `count` 0 switches it off.

    Parameters
    ----------
    vectors: `[M, B]` with rows of length one (or zero).
    """

    def __init__(self, vectors: Tensor, window: int, count: int, similarity: float) -> None:
        self.vectors = vectors
        self.window = window
        self.count = count
        self.similarity = similarity - ROUNDING

    def __call__(self, recent: Tensor, slate: Tensor) -> Tensor:
        """Which users leave, `[N]` bool, after `slate` `[N, K]` if `recent` `[N, R]` was shown before it (newest last, `PAD` in front)."""
        if not self.count:
            return torch.zeros_like(slate[:, 0], dtype=torch.bool)
        present, vectors = self._recent(recent)
        similarities = torch.einsum("nwb,nkb->nwk", vectors, F.embedding(slate, self.vectors)).amax(dim=2)
        return ((similarities >= self.similarity) & present).sum(dim=1) >= self.count

    def of_all(self, recent: Tensor) -> Tensor:
        """Whether users would leave after each item shown alone, `[N, M]` bool."""
        present, vectors = self._recent(recent)
        num_similar = torch.zeros(len(recent), len(self.vectors), dtype=torch.int64, device=recent.device)
        if not self.count:
            return num_similar.bool()
        for place in range(present.shape[1]):
            num_similar += (vectors[:, place] @ self.vectors.T >= self.similarity) & present[:, place, None]
        return num_similar >= self.count

    def _recent(self, recent: Tensor) -> tuple[Tensor, Tensor]:
        recent = recent[:, max(0, recent.shape[1] - self.window) :]
        return recent != PAD, F.embedding(recent.clamp(min=0), self.vectors)


def principal_directions(vectors: Tensor, dims: int) -> Tensor:
    """Unit rows `[M, min(dims, D)]` of the leading principal components of `vectors` `[M, D]`; rows at the mean stay zero.

    Centring removes the component that all sentence embeddings share; with it, all items would be similar to each other.
    """
    return F.normalize(principal_coordinates(vectors, dims), dim=1).float()
