"""Groups of items: by an attribute of the catalogue, or by popularity into a head and a tail."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, DataError

NO_VALUE = "(none)"
"""The group of the items without a value of the attribute."""


class ItemGroups(NamedTuple):
    """names: of the G groups, at least two.   numbers: `[M]` int64, the group of each item, on the catalogue's device."""

    names: list[str]
    numbers: Tensor

    def share_of(self, weights: Tensor) -> Tensor:
        """Each group's share `[G]` of `weights` `[M]`, in float64; weights must not be negative or all zero."""
        sums = torch.zeros(len(self.names), dtype=torch.float64, device=weights.device)
        return sums.index_add_(0, self.numbers, weights.double()) / weights.double().sum()


def groups_by_attribute(catalog: Catalog, attribute: str) -> ItemGroups:
    """One group for each value of an attribute, in alphabetical order; of a list, the first entry counts.

    Raises
    ------
    DataError: the attribute does not exist, does not hold plain values, or is the same for every item.
    """
    table = catalog.attributes
    if attribute not in table.columns:
        raise DataError(f"there is no catalogue attribute {attribute!r} to group items by; there are: {', '.join(table.columns)}")
    column = table[attribute]
    first = column.list.first() if isinstance(column.dtype, pl.List) else column
    if first.dtype.is_nested():
        raise DataError(
            f"the catalogue attribute {attribute!r} must hold a string or number per item, or a list of them, not {column.dtype}"
        )
    values = first.cast(pl.String).fill_null(NO_VALUE)
    names = values.unique().sort()
    if len(names) < 2:
        raise DataError(f"the catalogue attribute {attribute!r} is {names[0]!r} for every item: fairness needs two groups or more")
    numbers = values.replace_strict(names, pl.Series(range(len(names)), dtype=pl.Int64), return_dtype=pl.Int64)
    return ItemGroups(names.to_list(), torch.from_numpy(numbers.to_numpy(writable=True)).to(catalog.popularity.device))


def groups_by_popularity(catalog: Catalog, head_share: float) -> ItemGroups:
    """Two groups: "head", the most popular share `head_share` of the items (at least one, never all), and "tail".

    Raises
    ------
    DataError: the catalogue has only one item.
    """
    items = len(catalog)
    if items < 2:
        raise DataError("the catalogue has only one item, which cannot be split into head and tail")
    head = min(max(round(head_share * items), 1), items - 1)
    numbers = torch.ones(items, dtype=torch.int64, device=catalog.popularity.device)
    # stable, so that among equally popular items the lower numbers are in the head, on any device
    numbers[catalog.popularity.argsort(descending=True, stable=True)[:head]] = 0
    return ItemGroups(["head", "tail"], numbers)
