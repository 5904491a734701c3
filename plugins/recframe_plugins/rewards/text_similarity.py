"""How alike items' texts are: what the rewards that know too much of the same share."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Catalog, DataError
from recframe_plugins.rewards.per_catalog import PerCatalog

LARGEST_TABLE = 4096
"""Items up to which the cosines of all pairs are kept (64 MiB then): looking one up is some twenty times cheaper than computing it."""


class TextTables(NamedTuple):
    """units: `[M, D]`, text vectors of length one (or zero).   cosines: `[M, M]`, their products, or None in a large catalogue."""

    units: Tensor
    cosines: Tensor | None


class TextSimilarity:
    """Cosine of items' text vectors; 0 between an item whose vector is zero and any.

    Parameters
    ----------
    reward: who asks, for the error's message.
    """

    def __init__(self, reward: str) -> None:
        self.reward = reward
        self._tables = PerCatalog(self._prepare)

    def __call__(self, catalog: Catalog, items: Tensor, others: Tensor) -> Tensor:
        """The cosine of each of `items` `[N, K]` with each of `others` `[N, L]`, float32 `[N, K, L]` in [-1, 1].

        What stands where `others` is `PAD` means nothing.

        Raises
        ------
        DataError: the catalogue has no text vectors, or empty ones.
        """
        tables = self._tables(catalog)
        others = others.clamp(min=0)
        if tables.cosines is not None:
            return tables.cosines[items[:, :, None], others[:, None, :]]
        return (F.embedding(items, tables.units) @ F.embedding(others, tables.units).mT).clamp(-1.0, 1.0)

    def _prepare(self, catalog: Catalog) -> TextTables:
        if catalog.text_vectors is None:
            raise DataError(
                f"reward={self.reward} compares items by their text vectors, and this catalogue has none; encode its texts first"
            )
        if not catalog.text_vectors.shape[1]:
            raise DataError(f"reward={self.reward} compares items by their texts, which are not read: choose an encoder@world_encoder")
        units = F.normalize(catalog.text_vectors.float(), dim=1)
        return TextTables(units, (units @ units.T).clamp(-1.0, 1.0) if len(units) <= LARGEST_TABLE else None)


def distance(cosine: Tensor) -> Tensor:
    """`(1 - cos) / 2`: 0 for texts that say the same, 1/2 for unrelated ones, 1 for opposite vectors."""
    return (1.0 - cosine) / 2.0
