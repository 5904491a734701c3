"""The items of a catalogue as RecSim documents: their topics and other properties, assigned so that the texts are informative about them.

RecSim draws the properties of a document from a distribution. Here each item has a place in [0, 1): each topic has an interval, whose
length is the topic's share of the catalogue, and the place of an item is a random point in the interval of its topic. Places are uniform
over [0, 1), so a property that is a quantile function of the place has exactly RecSim's distribution in any catalogue. Close places share
a topic, so the text of an item is informative about the property.
"""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, DataError


def main_topics(catalog: Catalog, attribute: str) -> tuple[Tensor, list[str]]:
    """The topic number of each item, `[M]` int64, and the names of the topics, in alphabetical order.

    The topic is the value of the attribute as text, or the first entry of a list; items without one share the topic "".

    Raises
    ------
    DataError: the catalogue has no such attribute.
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
    """The place of each item in [0, 1), `[M]` float64; uniformly random without an attribute."""
    within = torch.rand(len(catalog), generator=generator, dtype=torch.float64)
    if attribute is None:
        return within
    topics, names = main_topics(catalog, attribute)
    shares = torch.bincount(topics, minlength=len(names)).double() / len(catalog)
    starts = shares.cumsum(0) - shares
    # rounding must not move a place into the next interval
    return (starts[topics] + shares[topics] * within).clamp(max=1.0 - 1e-12)
