"""Columns of text with the types that their values have."""

from __future__ import annotations

import polars as pl

__all__ = ["split_lists", "typed"]

# A number with leading zeros is a code, such as a postcode.
CODE = r"^[+-]?0[0-9]"
LIST_SEPARATOR = "|"
LONGEST_PART = 40


def typed(column: pl.Series) -> pl.Series:
    """A text column as integers or floats if all its values are such numbers, without leading zeros; null stays null."""
    if column.str.contains(CODE).any():
        return column
    for dtype in (pl.Int64, pl.Float64):
        numbers = column.cast(dtype, strict=False)
        if numbers.null_count() == column.null_count() < len(column):
            return numbers
    return column


def split_lists(column: pl.Series) -> pl.Series:
    """A text column as lists of strings if '|' is in at least a tenth of its values, between short parts; otherwise as it is."""
    if column.dtype != pl.String:
        return column
    known = column.drop_nulls()
    if 10 * int(known.str.contains(LIST_SEPARATOR, literal=True).sum()) < max(len(known), 1):
        return column
    parts = column.str.split(LIST_SEPARATOR).list.eval(pl.element().str.strip_chars()).list.eval(pl.element().filter(pl.element() != ""))
    return parts if (parts.explode().drop_nulls().str.len_chars() <= LONGEST_PART).all() else column
