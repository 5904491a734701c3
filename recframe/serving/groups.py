"""Groups of items that share a value of an attribute, such as a genre."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog


class Groups:
    """The groups of one column of a catalogue's attributes. An item with a list of values is in the group of each, one without any in none.

    Both directions are sorted once, so that a question costs no pass over the catalogue.
    """

    def __init__(self, column: pl.Series) -> None:
        pairs = pl.DataFrame({"item": np.arange(len(column)), "value": column})
        if isinstance(column.dtype, (pl.List, pl.Array)):
            pairs = pairs.explode("value")
        pairs = pairs.drop_nulls().unique()
        self.values: list[Any] = pairs["value"].unique().sort().to_list()
        numbered = pl.DataFrame({"value": pl.Series(self.values, dtype=pairs["value"].dtype), "group": range(len(self.values))})
        codes = pairs.join(numbered, "value")
        by_item, by_group = codes.sort("item"), codes.sort("group")
        self._groups, self._items = by_item["group"].to_numpy(), torch.tensor(by_group["item"].to_numpy())
        self._group_ends = np.searchsorted(by_item["item"].to_numpy(), np.arange(len(column) + 1))
        self._item_ends = np.searchsorted(by_group["group"].to_numpy(), np.arange(len(self.values) + 1))

    def of(self, item: int) -> list[int]:
        """The groups of an item."""
        found: list[int] = self._groups[self._group_ends[item] : self._group_ends[item + 1]].tolist()
        return found

    def members(self, group: int) -> Tensor:
        """The items of a group `[n]` int64."""
        return self._items[self._item_ends[group] : self._item_ends[group + 1]]


class AttributeGroups:
    """The groups of every column of a catalogue's attributes, which are made when they are first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self._attributes = catalog.attributes
        self._made: dict[str, Groups] = {}

    @property
    def columns(self) -> list[str]:
        """The columns whose values can be compared."""
        return [name for name, kind in self._attributes.schema.items() if _comparable(kind)]

    def __getitem__(self, column: str) -> Groups:
        if column not in self._made:
            self._made[column] = Groups(self._attributes[column])
        return self._made[column]


def _comparable(kind: Any) -> bool:
    inner = kind.inner if isinstance(kind, (pl.List, pl.Array)) else kind
    return not inner.is_nested() and inner != pl.Object
