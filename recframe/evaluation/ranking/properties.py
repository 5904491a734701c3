"""Properties of top-k lists that accuracy does not show: how novel their items are, and how different from each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.evaluation.diversity import mean_distance
from recframe.interfaces import PAD, Catalog, self_information
from recframe.metric_names import metric_at

Ratios = dict[str, tuple[Tensor, Tensor]]
"""Numerators and denominators `[N]` of each metric."""


class ListProperties:
    """Computes novelty and diversity of lists at each of the ascending `ks`, as ratios of sums over a list.

    - `novelty`: mean self-information of a recommended item in bits (`self_information`).
    - `diversity`: mean cosine distance between the text vectors of all pairs of items of a list (Ziegler et al., 2005). Missing if no
      texts are read.
    """

    def __init__(self, catalog: Catalog, ks: Sequence[int]) -> None:
        self.ks = ks
        self.information = self_information(catalog.popularity)
        vectors = catalog.text_vectors
        self.vectors = None if vectors is None or not vectors.shape[1] else vectors
        # the vectors of a large catalogue are not copied; one of zeros has no direction
        lengths = None if self.vectors is None else self.vectors.norm(dim=1)
        self.inverse_lengths = None if lengths is None else torch.where(lengths > 0, 1.0 / lengths, 0.0)

    def of(self, items: Tensor) -> Ratios:
        """The properties of the lists `items` `[N, k]`, k at least the largest of the ks."""
        columns: Ratios = {}
        exists = items != PAD
        counts = exists.cumsum(dim=1).double()
        information = (self.information[items] * exists).cumsum(dim=1)
        for k in self.ks:
            columns[metric_at("novelty", k)] = information[:, k - 1], counts[:, k - 1]
        if self.vectors is not None and self.inverse_lengths is not None:
            columns |= self._diversity(items, counts, self.vectors, self.inverse_lengths)
        return columns

    def _diversity(self, items: Tensor, counts: Tensor, vectors: Tensor, inverse_lengths: Tensor) -> Ratios:
        columns: Ratios = {}
        weights = inverse_lengths[items] * (items != PAD)
        # with unit vectors, the sum of squares is the number of vectors
        squares = (weights > 0).cumsum(dim=1)
        total = vectors.new_zeros(len(items), vectors.shape[1])
        first = 0
        for k in self.ks:
            places = slice(first, k)
            total += F.embedding_bag(items[:, places].clamp(min=0), vectors, per_sample_weights=weights[:, places], mode="sum")
            distance = mean_distance(torch.linalg.vecdot(total, total), squares[:, k - 1], counts[:, k - 1])
            defined = ~distance.isnan()
            columns[metric_at("diversity", k)] = distance.nan_to_num(0.0), defined.double()
            first = k
        return columns
