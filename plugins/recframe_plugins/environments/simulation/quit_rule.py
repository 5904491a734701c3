"""Leaving out of boredom as rating-matrix simulators have it: too many of the items shown lately are too similar."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, principal_coordinates

# a cosine computed one way or another must be on one side of the bound: an item is like itself even at a similarity of 1
ROUNDING = 1e-6


class QuitRule:
    """A user leaves after a slate if at least `count` of the last `window` items before it are like one of its items.

    Two items are alike if the cosine of their vectors is at least `similarity`. After the exit of KuaiEnv and its kin (Gao et al. 2022,
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
        """Who leaves, `[N]` bool, after `slate` `[N, K]`, having been shown `recent` `[N, R]` before (newest last, `PAD` in front)."""
        if not self.count:
            return torch.zeros_like(slate[:, 0], dtype=torch.bool)
        present, vectors = self._recent(recent)
        likeness = torch.einsum("nwb,nkb->nwk", vectors, F.embedding(slate, self.vectors)).amax(dim=2)
        return ((likeness >= self.similarity) & present).sum(dim=1) >= self.count

    def of_all(self, recent: Tensor) -> Tensor:
        """Who would leave after each item shown alone, `[N, M]` bool."""
        present, vectors = self._recent(recent)
        alike = torch.zeros(len(recent), len(self.vectors), dtype=torch.int64, device=recent.device)
        if not self.count:
            return alike.bool()
        for place in range(present.shape[1]):
            alike += (vectors[:, place] @ self.vectors.T >= self.similarity) & present[:, place, None]
        return alike >= self.count

    def _recent(self, recent: Tensor) -> tuple[Tensor, Tensor]:
        recent = recent[:, max(0, recent.shape[1] - self.window) :]
        return recent != PAD, F.embedding(recent.clamp(min=0), self.vectors)


def principal_directions(vectors: Tensor, dims: int) -> Tensor:
    """Unit rows `[M, min(dims, D)]` of the leading principal components of `vectors` `[M, D]`; rows at the mean stay zero.

    Centring takes away the component that all sentence embeddings share, without which everything is like everything.
    """
    return F.normalize(principal_coordinates(vectors, dims), dim=1).float()
