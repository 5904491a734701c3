"""The context of logged decisions as numbers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.tables import SourceTable, columns_in_words
from recframe_plugins.datasets.files.typed import typed
from recframe_plugins.datasets.interaction_logs.log_rows import feature_column

__all__ = ["feature_columns", "feature_matrix"]

logger = logging.getLogger(__name__)

USUAL = ("user_feature*", "user-item_affinity*", "user_item_affinity*", "context*", "feature*")
MOST_VALUES = 1_000


def feature_columns(table: SourceTable, patterns: Sequence[str] | None, taken: Sequence[str]) -> list[str]:
    """The columns of features, in the order of the table. patterns: names, or patterns with `*`; None: the usual names.

    Raises
    ------
    DataError: no column fits a pattern that is given, or a column has another meaning.
    """
    for pattern in patterns or ():
        if not any(fnmatchcase(name, pattern) for name in table.columns):
            raise DataError(f"dataset.features: {pattern!r} fits no column of {table.path}; they are {columns_in_words(table.columns)}")
        if pattern in taken:
            raise DataError(f"dataset.features: column {pattern!r} of {table.path} has another meaning already; leave it out")
    wanted = USUAL if patterns is None else patterns
    return [name for name in table.columns if name not in taken and any(fnmatchcase(name, pattern) for pattern in wanted)]


def feature_matrix(path: Path, rows: pl.DataFrame, columns: Sequence[str], categories: str) -> Tensor:
    """Features `[R, X]`, float32: a column for each one of numbers (0 where it is missing), and for text one for each value, or its number.

    Values of text are in alphabetical order; missing text is a value of its own.

    Parameters
    ----------
    rows: with `feature_column(name)` for each of the `columns`.   categories: "one_hot" or "index".

    Raises
    ------
    DataError: a column is neither text nor numbers, or has too many values for one-hot columns.
    """
    parts: list[Tensor] = []
    said: list[str] = []
    for name in columns:
        column = rows[feature_column(name)]
        if column.dtype == pl.String:
            column = typed(column.set(column.str.strip_chars() == "", None))
        if column.dtype.is_nested() or column.dtype.is_temporal():
            raise DataError(f"{path}: column {name!r} is of type {column.dtype}, expected features: numbers or text")
        if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
            parts.append(numeric(path, name, column))
            continue
        values = column.cast(pl.String).fill_null("").rank("dense").cast(pl.Int64) - 1
        count = int(values.max() or 0) + 1  # type: ignore[arg-type]
        if categories == "one_hot" and count > MOST_VALUES:
            raise DataError(
                f"{path}: column {name!r} has {count} values, too many for a column each; use dataset.categories=index, or leave it out of "
                "dataset.features"
            )
        said.append(f"{name} ({count} values)")
        indices = torch.from_numpy(values.to_numpy().copy())
        parts.append(torch.nn.functional.one_hot(indices, count).float() if categories == "one_hot" else indices.float()[:, None])
    features = torch.cat(parts, dim=1)
    how = "a column for each value" if categories == "one_hot" else "their values' numbers"
    texts = f"; text as {how}: {columns_in_words(said)}" if said else ""
    logger.info("%s: %d features from %d columns%s", path, features.shape[1], len(columns), texts)
    return features


def numeric(path: Path, name: str, column: pl.Series) -> Tensor:
    """A column of numbers, `[R, 1]`."""
    numbers = column.cast(pl.Float32).fill_nan(None)
    numbers = numbers.set(numbers.is_infinite().fill_null(False), None)
    if missing := numbers.null_count():
        logger.warning("%s: feature %s is missing or not finite in %d row(s), and 0 there", path, name, missing)
    return torch.from_numpy(numbers.fill_null(0).to_numpy().copy())[:, None]
