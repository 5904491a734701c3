"""Topic matrices from attribute tables: the topics of each item, the topics that each person likes, and their weights."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Data, DataError


def topic_matrices(data: Data, topics: str, weights: str) -> tuple[Tensor, Tensor | None]:
    """Item topics `[M, T]` and people's topics `[P, T]` (None where users have no such attribute), float32 >= 0.

    `topics` and `weights` name the attributes: a list of topics, and optionally a list of weights of the same length (default: 1 each). T
    is the number of all topics that occur; they are in alphabetical order. People who list no topic like all topics equally.

    Raises
    ------
    DataError: the catalogue lacks the column, a column has another type, or the weights of a row do not fit; the message names it.
    """
    entries, vocabulary = _listed(data, topics, weights)
    item_matrix = _matrix(entries["catalogue"], data.catalog.attributes.height, vocabulary)
    if "users'" not in entries:
        return item_matrix, None
    assert data.users is not None
    people_matrix = _matrix(entries["users'"], len(data.users), vocabulary)
    undecided = people_matrix.sum(dim=1, keepdim=True) == 0
    return item_matrix, torch.where(undecided, torch.ones_like(people_matrix), people_matrix)


def topic_names(data: Data, topics: str, weights: str) -> list[str]:
    """The T topics in the order of the columns of `topic_matrices`."""
    names: list[str] = _listed(data, topics, weights)[1].to_list()
    return names


def frequent_topics(data: Data, topics: str, weights: str, count: int | None) -> list[str]:
    """The `count` topics of the most items, None: all; as many of equal ones, those that come first in alphabetical order.

    They are in alphabetical order. Topics that no item has are not among them.

    Raises
    ------
    DataError: see `topic_matrices`.
    """
    entries = _listed(data, topics, weights)[0]["catalogue"].unique(["row", "topic"])
    counts = entries["topic"].value_counts().sort(["count", "topic"], descending=[True, False])
    return sorted(counts["topic"].head(len(counts) if count is None else count).to_list())


def _listed(data: Data, topics: str, weights: str) -> tuple[dict[str, pl.DataFrame], pl.Series]:
    """The catalogue's and the users' (row, topic, weight) entries, and all topics that occur."""
    items = data.catalog.attributes
    people = None if data.users is None else data.users.attributes
    if topics not in items.columns:
        raise DataError(f"topic_world needs the catalogue attribute {topics!r}; this catalogue has {', '.join(items.columns)}")
    if people is not None and topics not in people.columns:
        people = None
    tables = {"catalogue": items} if people is None else {"catalogue": items, "users'": people}
    entries = {owner: _entries(table, owner, topics, weights) for owner, table in tables.items()}
    vocabulary = pl.concat([table["topic"] for table in entries.values()]).unique().sort()
    if vocabulary.is_empty():
        raise DataError(f"the catalogue attribute {topics!r} lists no topic for any item")
    return entries, vocabulary


def _entries(table: pl.DataFrame, owner: str, topics: str, weights: str) -> pl.DataFrame:
    """The (row, topic, weight) entries of the table, one per row."""
    if table.schema[topics] not in (pl.List(pl.String), pl.List(pl.Null)):
        raise DataError(f"the {owner} attribute {topics!r} must hold a list of strings per row, not {table.schema[topics]}")
    if weights not in table.columns:
        listed = table.select(row=pl.int_range(pl.len()), topic=pl.col(topics).cast(pl.List(pl.String)))
        return listed.explode("topic").drop_nulls().with_columns(weight=pl.lit(1.0))
    dtype = table.schema[weights]
    if not (isinstance(dtype, pl.List) and dtype.inner.is_numeric()):
        raise DataError(f"the {owner} attribute {weights!r} must hold a list of numbers per row, not {dtype}")
    listed = table.select(
        row=pl.int_range(pl.len()), topic=pl.col(topics).cast(pl.List(pl.String)), weight=pl.col(weights).cast(pl.List(pl.Float64))
    )
    unequal = listed.filter(pl.col("topic").list.len().fill_null(0) != pl.col("weight").list.len().fill_null(0))
    if not unequal.is_empty():
        row, names, numbers = unequal.row(0)
        lengths = f"{len(names or [])} {topics!r} but {len(numbers or [])} {weights!r}"
        raise DataError(f"the {owner} row {row} has {lengths}; both lists must have the same length")
    entries = listed.filter(pl.col("topic").list.len() > 0).explode("topic", "weight")
    wrong = entries.filter(~(pl.col("weight").is_finite() & (pl.col("weight") >= 0)).fill_null(False))
    if not wrong.is_empty():
        row, topic, weight = wrong.row(0)
        raise DataError(f"the {owner} row {row} gives topic {topic!r} the weight {weight}; weights are numbers of 0 or more")
    return entries.drop_nulls("topic")


def _matrix(entries: pl.DataFrame, rows: int, vocabulary: pl.Series) -> Tensor:
    """The entries as a dense `[rows, T]` matrix; the weights of a topic that is listed twice are added."""
    column = pl.Series(range(len(vocabulary)), dtype=pl.Int64)
    numbers = entries["topic"].replace_strict(vocabulary, column, return_dtype=pl.Int64)
    matrix = torch.zeros(rows, len(vocabulary))
    index = (torch.from_numpy(entries["row"].cast(pl.Int64).to_numpy(writable=True)), torch.from_numpy(numbers.to_numpy(writable=True)))
    return matrix.index_put_(index, torch.from_numpy(entries["weight"].cast(pl.Float32).to_numpy(writable=True)), accumulate=True)
