"""What could have been shown in decisions that recframe served and logged: candidates, exclusions, and rules of the requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import NO_LIST, LoggedChoices
from recframe_plugins.datasets.files.tables import SourceTable
from recframe_plugins.datasets.interaction_logs.log_rows import asked_column

__all__ = ["ASKED", "LISTS", "asked_columns", "logged_choices"]

logger = logging.getLogger(__name__)

ASKED = ("recommendation", "k", "candidates", "exclude", "must_include", "at_most")
"""The columns that say which slate a row is of, and what was asked for; recframe stores and exports all of them."""

LISTS: Mapping[str, Any] = MappingProxyType({"name": pl.String, "items": pl.List(pl.String)})
"""The columns of lists of ids: `candidates` and `exclude` are names of them."""

ReadLists = Callable[[Sequence[str]], pl.DataFrame]
"""From names of lists to those that are there, with `LISTS`."""

LISTS_AT_ONCE = 1_000


def asked_columns(table: SourceTable) -> tuple[str, ...]:
    """`ASKED`, if the table has all of them; else nothing."""
    return ASKED if set(ASKED) <= set(table.columns) else ()


def logged_choices(path: Path, rows: pl.DataFrame, ids: pl.Series, read: ReadLists) -> LoggedChoices:
    """What could have been shown in each row, and a line in the log about the rows of which that is not known.

    Parameters
    ----------
    path: for messages.   rows: of a log, in their final order, with `asked_column` of `ASKED`.   ids: of the catalogue's items `[M]`.
    read: reads lists. Ids in them that are not in the catalogue are left out.
    """
    asked = rows.select(_given(rows[asked_column(name)]).alias(name) for name in ASKED)
    names = pl.concat([asked["candidates"], asked["exclude"]]).drop_nulls().unique().sort().to_list()
    known, items, offsets = _numbered(names, ids, read)
    numbers = {role: _numbers_of(asked[role], known) for role in ("candidates", "exclude")}
    gone = pl.DataFrame({role: asked[role].is_not_null() & (of == NO_LIST) for role, of in numbers.items()}).select(pl.any_horizontal("*"))
    ruled = asked.select(pl.any_horizontal(pl.col("must_include", "at_most").is_not_null()))
    _say_unknown(path, asked, ruled.to_series(), gone.to_series())
    return LoggedChoices(
        slates=_tensor(asked["recommendation"].rank("dense")),
        candidates=_tensor(numbers["candidates"]),
        excluded=_tensor(numbers["exclude"]),
        unknown=torch.from_numpy((ruled.to_series() | gone.to_series()).to_numpy().copy()),
        items=items,
        offsets=offsets,
    )


def _given(column: pl.Series) -> pl.Series:
    """A column as text, with null where nothing is given: text files have no nulls."""
    text = column.cast(pl.String)
    return text.set(text.str.strip_chars() == "", None)


def _numbered(names: Sequence[str], ids: pl.Series, read: ReadLists) -> tuple[pl.DataFrame, Tensor, Tensor]:
    """The lists that are there, `name` and `list`, their numbers; the rows of all their items `[T]`, and where each begins `[L + 1]`."""
    rows = pl.DataFrame({"items": ids}).with_row_index("row")
    found, items, lengths = [pl.Series("name", [], pl.String)], [pl.Series("row", [], pl.Int64)], [np.zeros(1, dtype=np.int64)]
    for first in range(0, len(names), LISTS_AT_ONCE):
        lists = read(names[first : first + LISTS_AT_ONCE]).unique("name", maintain_order=True)
        listed = lists.with_row_index("list").explode("items").join(rows, on="items", maintain_order="left")
        found.append(lists["name"])
        items.append(listed["row"].cast(pl.Int64))
        # a list may be empty
        lengths.append(np.bincount(listed["list"].to_numpy(), minlength=len(lists)))
    known = pl.concat(found).to_frame().with_row_index("list")
    return known, _tensor(pl.concat(items)), torch.from_numpy(np.concatenate(lengths).cumsum())


def _numbers_of(names: pl.Series, known: pl.DataFrame) -> pl.Series:
    """The number of the list of each row; `NO_LIST` where there is none."""
    joined = names.rename("name").to_frame().join(known, on="name", how="left", maintain_order="left")
    return joined["list"].cast(pl.Int64).fill_null(NO_LIST)


def _say_unknown(path: Path, asked: pl.DataFrame, ruled: pl.Series, gone: pl.Series) -> None:
    counted = asked.select("recommendation", "k").with_columns(ruled=ruled, gone=gone).unique("recommendation")
    for number, why in (
        (counted["ruled"].sum(), "were asked for with rules (must_include, at_most); they are learned from, and left out of estimates"),
        (counted["gone"].sum(), "had candidates or exclusions that are no longer there; they are learned from, and left out of estimates"),
        (counted["k"].null_count(), "do not say what was asked for; estimates take them for choices among all items"),
    ):
        if number:
            logger.warning("%s: %d of %d recommendations %s", path, number, len(counted), why)


def _tensor(column: pl.Series) -> Tensor:
    return torch.from_numpy(column.cast(pl.Int64).to_numpy().copy())
