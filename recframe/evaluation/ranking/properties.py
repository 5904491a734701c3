"""Properties of top-k lists that accuracy does not show: how novel their items are, and how different from each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.evaluation.diversity import mean_distance
from recframe.interfaces import PAD, Catalog, self_information
from recframe.metric_names import metric_at

Ratios = dict[str, tuple[Tensor, Tensor]]
"""Numerators and denominators `[N]` of each metric."""


class ListProperties:
    """Computes novelty and diversity of lists at each k, as ratios of sums over a list.

    - `novelty`: mean self-information of a recommended item in bits (`self_information`).
    - `diversity`: mean cosine distance between the text vectors of all pairs of items of a list (Ziegler et al., 2005). Missing if no
      texts are read.
    """

    def __init__(self, catalog: Catalog, ks: Sequence[int]) -> None:
        self.ks = ks
        self.information = self_information(catalog.popularity)
        vectors = catalog.text_vectors
        self.vectors = None if vectors is None or not vectors.shape[1] else vectors
        # the vectors of a large catalogue are not copied
        self.norms = None if self.vectors is None else self.vectors.norm(dim=1).double().clamp(min=1e-12)

    def of(self, items: Tensor) -> Ratios:
        """The properties of the lists `items` `[N, k]`, k at least the largest of the ks."""
        columns: Ratios = {}
        exists = items != PAD
        counts = exists.cumsum(dim=1).double()
        information = (self.information[items] * exists).cumsum(dim=1)
        for k in self.ks:
            columns[metric_at("novelty", k)] = information[:, k - 1], counts[:, k - 1]
        if self.vectors is not None and self.norms is not None:
            columns |= self._diversity(items, exists, counts, self.vectors, self.norms)
        return columns

    def _diversity(self, items: Tensor, exists: Tensor, counts: Tensor, vectors: Tensor, norms: Tensor) -> Ratios:
        columns: Ratios = {}
        total = torch.zeros(len(items), vectors.shape[1], dtype=torch.float64, device=items.device)
        squares = torch.zeros_like(total[:, 0])
        for place in range(max(self.ks)):
            shown = items[:, place]
            units = vectors[shown].double() * (exists[:, place] / norms[shown])[:, None]
            total += units
            squares += units.pow(2).sum(dim=1)
            if place + 1 in self.ks:
                distance = mean_distance(total, squares, counts[:, place])
                defined = ~distance.isnan()
                columns[metric_at("diversity", place + 1)] = distance.nan_to_num(0.0), defined.double()
        return columns
