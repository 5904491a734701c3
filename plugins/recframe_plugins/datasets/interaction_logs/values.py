"""Values of columns as ids and numbers, whatever types the columns of a file have."""

from __future__ import annotations

import polars as pl

from recframe.interfaces import DataError

__all__ = ["MISSING", "ids", "is_missing", "numbers", "shown_value", "whole_numbers"]

MISSING = ("", "nan", "na", "n/a", "null", "none", "\\n")
"""What programs write for a value that is missing, in lower case."""


def is_missing(column: str, dtype: pl.DataType) -> pl.Expr:
    """Whether a value is missing: null, NaN, or text that stands for it."""
    value = pl.col(column)
    if dtype == pl.String:
        return value.is_null() | value.str.strip_chars().str.to_lowercase().is_in(list(MISSING))
    return value.is_null() | value.is_nan() if dtype.is_float() else value.is_null()


def ids(column: str, dtype: pl.DataType, where: str) -> pl.Expr:
    """A column as ids: strings; whole numbers without a fraction. Null where it is missing.

    Raises
    ------
    DataError: the column holds neither text nor numbers. where: the file, for the message.
    """
    value = pl.col(column)
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        text = value.cast(pl.String).str.strip_chars()
        return pl.when(text != "").then(text)
    if dtype.is_integer():
        return value.cast(pl.String)
    if dtype.is_float():
        # pandas makes numbers with a fraction of whole numbers when one is missing
        whole = value.cast(pl.Int64, strict=False)
        return (
            pl.when(whole.cast(pl.Float64) == value.cast(pl.Float64))
            .then(whole.cast(pl.String))
            .otherwise(value.fill_nan(None).cast(pl.String))
        )
    raise DataError(f"{where}: column {column!r} is of type {dtype}, expected ids: text or whole numbers")


def numbers(column: str, dtype: pl.DataType, where: str) -> pl.Expr:
    """A column as float64; null where it is missing or no number.

    Raises
    ------
    DataError: the column can hold no numbers. where: the file, for the message.
    """
    value = pl.col(column)
    if dtype == pl.String:
        text = value.str.strip_chars()
        truth = text.str.to_lowercase().replace_strict({"true": 1.0, "false": 0.0}, default=None, return_dtype=pl.Float64)
        return pl.coalesce(text.cast(pl.Float64, strict=False).fill_nan(None), truth)
    if dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        number = value.cast(pl.Float64)
        return number.fill_nan(None)
    raise DataError(f"{where}: column {column!r} is of type {dtype}, expected numbers")


def whole_numbers(column: str, dtype: pl.DataType, where: str) -> pl.Expr:
    """A column as int64, exactly; fractions are cut off. Null where it is missing or no number."""
    if dtype == pl.String:
        text = pl.col(column).str.strip_chars()
        return pl.coalesce(text.cast(pl.Int64, strict=False), text.cast(pl.Float64, strict=False).floor().cast(pl.Int64, strict=False))
    if dtype.is_integer():
        return pl.col(column).cast(pl.Int64, strict=False)
    return numbers(column, dtype, where).floor().cast(pl.Int64, strict=False)


def shown_value(column: str, dtype: pl.DataType) -> pl.Expr:
    """The value for a message: in quotes, and shortened if it is long."""
    value = pl.col(column)
    text = value.cast(pl.String, strict=False) if not dtype.is_nested() else pl.lit("a nested value")
    text = text.fill_null("")
    return pl.format("'{}'", pl.when(text.str.len_chars() > 80).then(text.str.slice(0, 77) + "...").otherwise(text))
