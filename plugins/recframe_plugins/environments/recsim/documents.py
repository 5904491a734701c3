"""A catalogue's items as a simulator's documents: topics and other properties laid over them so that texts tell of them.

RecSim draws a document's properties from a distribution. Here an item has a place on [0, 1): its topic's stretch, of the length of the
topic's share of the catalogue, and a random point within. Places are spread evenly over [0, 1), so a property that is a quantile
function of the place has RecSim's distribution exactly, in whatever catalogue; and as near places share a topic, an item's text
tells what can be expected of it.
"""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, DataError


def main_topics(catalog: Catalog, attribute: str) -> tuple[Tensor, list[str]]:
    """The number of each item's topic, `[M]` int64, and the topics' names, in alphabetical order.

    The topic is the attribute's value as text, or the first of a list; items without one share the topic "".

    Raises
    ------
    DataError: there is no such attribute.
    """
    if attribute not in catalog.attributes.columns:
        raise DataError(f"the catalogue has no attribute {attribute!r}; it has {', '.join(catalog.attributes.columns)}")
    column = catalog.attributes[attribute]
    first = column.list.first() if isinstance(column.dtype, pl.List) else column
    names = first.cast(pl.String).fill_null("")
    topics = names.unique().sort()
    numbers = names.replace_strict(topics, pl.Series(range(len(topics)), dtype=pl.Int64), return_dtype=pl.Int64)
    return torch.from_numpy(numbers.to_numpy(writable=True)), topics.to_list()


def places(catalog: Catalog, attribute: str | None, generator: torch.Generator) -> Tensor:
    """Each item's place on [0, 1), `[M]` float64; uniformly at random without an attribute."""
    within = torch.rand(len(catalog), generator=generator, dtype=torch.float64)
    if attribute is None:
        return within
    topics, names = main_topics(catalog, attribute)
    shares = torch.bincount(topics, minlength=len(names)).double() / len(catalog)
    starts = shares.cumsum(0) - shares
    # rounding must not carry a place to the next stretch
    return (starts[topics] + shares[topics] * within).clamp(max=1.0 - 1e-12)
