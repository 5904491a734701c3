"""Exact and approximate search for the items nearest to a point.

The nearest item is that of the largest inner product. Vectors are expected to have length 1: inner product, cosine and Euclidean distance
then give the same order, and a long vector is not near to every point.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Observation, is_excluded
from recframe.item_agents.top_columns import best_so_far, top_columns

MAX_PRODUCTS = 2**22
"""Products computed at once in an exact search, 16 MiB of them: about the size of a processor's cache."""


class ItemIndex(ABC):
    """An index of the items' vectors `[M, d]` at the time it was built. It never changes, so copies of an agent share it."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of items, M."""

    @abstractmethod
    def search(self, points: Tensor, k: int) -> Tensor:
        """The k <= M items nearest to each of the `points` `[N, d]`, nearest first, `[N, k]` int64."""

    def __deepcopy__(self, memo: dict[int, Any]) -> ItemIndex:
        return self


class ExactIndex(ItemIndex):
    """Computes all products, for one part of the catalogue at a time, and keeps the k largest: memory does not grow with the catalogue."""

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, points: Tensor, k: int) -> Tensor:
        """The nearest items; see `ItemIndex.search`."""
        size = max(MAX_PRODUCTS // len(points), k)
        best: tuple[Tensor, Tensor] | None = None
        for first in range(0, len(self.vectors), size):
            found, columns = top_columns(points @ self.vectors[first : first + size].T, k)
            best = best_so_far(best, found, columns + first, k)
        assert best is not None
        return best[1]


class ApproximateIndex(ItemIndex):
    """An inverted file (Jegou et al., 2011; Douze et al., 2024): k-means puts the vectors into about sqrt(M) lists, and few are searched.

    Parameters
    ----------
    vectors: `[M, d]`, on any device; the search itself runs on the CPU.
    probes: lists searched for each point.

    Raises
    ------
    ValueError: faiss is not installed.
    """

    def __init__(self, vectors: Tensor, probes: int) -> None:
        try:
            import faiss
        except ImportError:
            raise ValueError("agent.index=approximate needs faiss: pip install 'recframe[faiss]', or set agent.index=exact") from None
        num_vectors, dim = vectors.shape
        # faiss asks for at least 39 vectors a list: with fewer, lists could stay empty
        lists = max(min(round(math.sqrt(num_vectors)), num_vectors // 39), 1)
        self._files = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT)
        # vectors of length 1 have centroids of length 1
        self._files.cp.spherical, self._files.cp.niter, self._files.cp.max_points_per_centroid = True, 10, 64
        values = vectors.detach().cpu().contiguous().numpy()
        self._files.train(values)
        self._files.add(values)
        self._few = faiss.SearchParametersIVF(nprobe=min(probes, lists))  # type: ignore[call-arg]  # faiss sets attributes by keyword
        self._all = faiss.SearchParametersIVF(nprobe=lists)  # type: ignore[call-arg]

    def __len__(self) -> int:
        return int(self._files.ntotal)

    def search(self, points: Tensor, k: int) -> Tensor:
        """Most of the nearest items; see `ItemIndex.search`."""
        queries = points.detach().cpu().contiguous().numpy()
        _, items = self._files.search(queries, k, params=self._few)
        # -1 where the lists searched hold fewer than k items: for those points all lists are searched
        short = (items < 0).any(axis=1)
        if short.any():
            items[short] = self._files.search(queries[short], k, params=self._all)[1]
        return torch.from_numpy(items).to(points.device)


def build_index(kind: str, vectors: Tensor, probes: int) -> ItemIndex:
    """An index of `vectors` `[M, d]` of the `kind` "exact" or "approximate"."""
    return ExactIndex(vectors) if kind == "exact" else ApproximateIndex(vectors, probes)


def nearest_items(index: ItemIndex | None, vectors: Tensor, observation: Observation, points: Tensor, k: int) -> Tensor:
    """The k items nearest to each user's point `[N, d]` among those that may be shown, `[N, min(k, M)]`; `PAD` where there are fewer.

    Where there are candidates, no index is needed: it would find too few of them. Each user's candidates are compared by their `vectors`,
    rows of `[M, d]` of any length.
    """
    candidates, excluded = observation.candidates, observation.excluded
    if candidates is not None:
        directions = F.normalize(vectors[candidates.clamp(min=0)].float(), dim=2)
        products = torch.einsum("nd,ncd->nc", points, directions)
        products = products.masked_fill((candidates == PAD) | is_excluded(observation, candidates), -torch.inf)
        nearest, positions = products.topk(min(k, candidates.shape[1]), dim=1)
        return candidates.gather(1, positions).masked_fill(nearest == -torch.inf, PAD)
    assert index is not None
    if excluded is None:
        return index.search(points, min(k, len(index)))
    # at most E of these items are excluded
    items = index.search(points, min(k + excluded.shape[1], len(index)))
    allowed = ~is_excluded(observation, items)
    kept = allowed.byte().sort(dim=1, descending=True, stable=True).indices[:, :k]
    return items.masked_fill(~allowed, PAD).gather(1, kept)


def recall(found: Tensor, nearest: Tensor) -> Tensor:
    """Recall@k: the share of the true `nearest` items `[N, k]` that are among the `found` items `[N, k]`, a scalar."""
    return (nearest.unsqueeze(2) == found.unsqueeze(1)).any(dim=2).float().mean()
