"""Atomic files of RecBole: tables between tabs whose header names the type of each column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.delimited import DelimitedTable
from recframe_plugins.datasets.files.malformed_rows import Check, quoted
from recframe_plugins.datasets.files.tables import open_table
from recframe_plugins.datasets.files.typed import typed

__all__ = ["AtomicTable", "atomic_table"]

TYPES = ("token", "token_seq", "float", "float_seq")


class AtomicTable(NamedTuple):
    """A table, and the types of its columns by their names (without type)."""

    table: DelimitedTable
    types: dict[str, str]

    def checks(self) -> list[Check]:
        """The checks that columns of type float hold numbers."""
        return [
            Check(
                f"bad {name}",
                (pl.col(name) != "") & pl.col(name).cast(pl.Float64, strict=False).is_null(),
                pl.format("column '{}': {} is no number, as its type float says", pl.lit(name), quoted(name)),
            )
            for name, kind in self.types.items()
            if kind == "float"
        ]

    def convert(self, column: pl.Series) -> pl.Series:
        """A column of text as its type says; tokens that are all whole numbers become such."""
        kind = self.types[column.name]
        if kind == "float":
            return column.cast(pl.Float64, strict=False)
        if kind == "token":
            return typed(column)
        words = column.str.strip_chars().str.replace_all(r"\s+", " ").str.split(" ")
        return words if kind == "token_seq" else words.cast(pl.List(pl.Float64), strict=False)


def atomic_table(path: Path, encoding: str) -> AtomicTable:
    """Open an atomic file.

    Raises
    ------
    DataError: it is none, or its header lacks types.
    """
    table = open_table(path, "dataset.path", separator="\t", encoding=encoding)
    if not isinstance(table, DelimitedTable):
        raise DataError(f"{path}: is no text file, expected one with tabs between the fields")
    types: dict[str, str] = {}
    for number, heading in enumerate(table.columns, 1):
        name, colon, kind = heading.partition(":")
        if not name or not colon or kind not in TYPES:
            raise DataError(
                f"{path}:1: column {number} is called {heading!r}, expected a name and a type, such as user_id:token, between tabs; "
                f"types are {', '.join(TYPES)}"
            )
        types[name] = kind
    return AtomicTable(replace(table, columns=list(types)), types)
