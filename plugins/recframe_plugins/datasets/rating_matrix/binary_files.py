"""Reads rating matrices from npy and parquet files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recframe.interfaces import DataError
from recframe_plugins.datasets.rating_matrix.matrix import (
    MISSING_VALUE,
    USER_HEADINGS,
    Matrix,
    all_usable,
    check_ids,
    check_size,
    refusal,
    unusable,
)
from recframe_plugins.datasets.rating_matrix.plausibility import refuse_long_table

__all__ = ["open_parquet", "read_npy_matrix", "read_parquet_matrix"]

HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy_matrix(path: Path, missing: bool) -> Matrix:
    """Read a two-dimensional array of numbers (or booleans). Other content of npy files, such as pickled objects, is refused.

    missing: whether ratings may be missing (NaN).

    Raises
    ------
    DataError: the file is not an npy file, is truncated, has other content, or holds a value that is not a finite float32.
    """
    try:
        with path.open("rb") as file:
            shape, fortran_order, dtype = HEADER_READERS[np.lib.format.read_magic(file)](file)
            offset = file.tell()
    except (ValueError, KeyError):
        raise DataError(f"{path}: is not an npy file, expected a matrix of numbers that numpy.save wrote") from None
    if dtype.kind not in "biuf":
        kinds = {"O": "Python objects", "c": "complex numbers", "U": "text", "S": "bytes", "M": "dates", "m": "durations"}
        raise DataError(f"{path}: holds {kinds.get(dtype.kind, f'values of type {dtype}')}, expected real numbers")
    if len(shape) != 2:
        raise DataError(f"{path}: has {len(shape)} dimension(s), the shape {shape}; expected two, users by items")
    check_size(path, *shape)
    size, expected = path.stat().st_size, offset + shape[0] * shape[1] * dtype.itemsize
    if size < expected:
        raise DataError(f"{path}: is truncated: {size} bytes, expected {expected} for the shape {shape} in its header")
    # memory-mapped, so that a file of another type or order is not in memory in addition to the matrix
    stored = np.memmap(path, dtype, "r", offset, shape, "F" if fortran_order else "C")
    with np.errstate(over="ignore"):
        values = np.array(stored, dtype=np.float32, order="C")
    if not all_usable(values, missing):
        raise first_unusable(path, values, lambda column: f"column {column + 1}", lambda row, column: stored[row, column], missing)
    return Matrix(values)


def read_parquet_matrix(path: Path, missing: bool) -> Matrix:
    """Read a table with a row for each user and a column of numbers (or booleans) for each item.

    The column names are the item ids. The first column holds the user ids if its name is one of `USER_HEADINGS`, or if it holds text.

    missing: whether ratings may be missing (null or NaN).

    Raises
    ------
    DataError: the file is not a parquet file, another column does not hold numbers, or a value is not a finite float32.
    """
    frame = open_parquet(path)
    refuse_long_table(str(path), frame.columns)
    users = None
    if frame.columns and (frame.columns[0].lower() in USER_HEADINGS or is_text(frame.dtypes[0])):
        users = frame[:, 0].cast(pl.String).fill_null("").str.strip_chars().to_list()
        frame = frame.drop(frame.columns[0])
    others = [(name, dtype) for name, dtype in frame.schema.items() if not (dtype.is_numeric() or dtype == pl.Boolean)]
    if others:
        name, dtype = others[0]
        raise refusal(f"{path}: column {name!r} is of type {dtype}, expected numbers", len(others))
    check_size(path, *frame.shape)
    # nulls become NaN
    values = frame.cast(pl.Float32).to_numpy(order="c", writable=True)
    if not all_usable(values, missing):
        raise first_unusable(
            path, values, lambda column: f"column {frame.columns[column]!r}", lambda row, column: frame[row, column], missing
        )
    check_ids("item", frame.columns, lambda number: f"{path}: column {number + 1 + (users is not None)}")
    check_ids("user", users or [], lambda number: f"{path}: row {number + 1}")
    return Matrix(values, users, frame.columns)


def open_parquet(path: Path) -> pl.DataFrame:
    """The table in a parquet file.

    Raises
    ------
    DataError: the file is not a parquet file, or cannot be read.
    """
    try:
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet ({str(error).partition(chr(10))[0]}), expected a parquet file") from None


def is_text(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds text."""
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))


def first_unusable(
    path: Path, values: NDArray[np.float32], name: Callable[[int], str], stored: Callable[[int, int], Any], missing: bool
) -> DataError:
    """The error for the first value that is not a finite float32; names its row (from 1), its column and the `stored` value."""
    found_rows, found_columns = np.nonzero(np.isinf(values) if missing else ~np.isfinite(values))
    row, column = int(found_rows[0]), int(found_columns[0])
    value = stored(row, column)
    problem = MISSING_VALUE if value is None else unusable(value, finite=bool(np.isfinite(value)))
    return refusal(f"{path}: row {row + 1}, {name(column)}: {problem}", len(found_rows))
