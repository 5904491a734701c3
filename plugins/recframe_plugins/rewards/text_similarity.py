"""Similarity of items by their text vectors, for the rewards of diversity and serendipity."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Catalog, DataError
from recframe_plugins.rewards.per_catalog import PerCatalog

LARGEST_TABLE = 4096
"""Maximum number of items for which the cosines of all pairs are stored (64 MiB). A lookup is about twenty times faster than computing."""


class TextTables(NamedTuple):
    """units: `[M, D]`, text vectors of length one (or zero).   cosines: `[M, M]`, their products, or None for a large catalogue."""

    units: Tensor
    cosines: Tensor | None


class TextSimilarity:
    """Cosine of items' text vectors; 0 if one of the vectors is zero.

    Parameters
    ----------
    reward: name of the reward, for error messages.
    """

    def __init__(self, reward: str) -> None:
        self.reward = reward
        self._tables = PerCatalog(self._prepare)

    def __call__(self, catalog: Catalog, items: Tensor, others: Tensor) -> Tensor:
        """The cosine of each of `items` `[N, K]` with each of `others` `[N, L]`, float32 `[N, K, L]` in [-1, 1].

        Values where `items` or `others` are `PAD` are arbitrary.

        Raises
        ------
        DataError: the catalogue has no text vectors, or empty ones.
        """
        tables = self._tables(catalog)
        items, others = items.clamp(min=0), others.clamp(min=0)
        if tables.cosines is not None:
            return tables.cosines[items[:, :, None], others[:, None, :]]
        return (F.embedding(items, tables.units) @ F.embedding(others, tables.units).mT).clamp(-1.0, 1.0)

    def _prepare(self, catalog: Catalog) -> TextTables:
        if catalog.text_vectors is None:
            raise DataError(
                f"reward={self.reward} compares items by their text vectors, but this catalogue has none; encode its texts first"
            )
        if not catalog.text_vectors.shape[1]:
            raise DataError(f"reward={self.reward} compares items by their texts, which are not read: choose an encoder@world_encoder")
        units = F.normalize(catalog.text_vectors.float(), dim=1)
        return TextTables(units, (units @ units.T).clamp(-1.0, 1.0) if len(units) <= LARGEST_TABLE else None)


def distance(cosine: Tensor) -> Tensor:
    """`(1 - cos) / 2`: 0 for equal texts, 1/2 for unrelated texts, 1 for opposite vectors."""
    return (1.0 - cosine) / 2.0
