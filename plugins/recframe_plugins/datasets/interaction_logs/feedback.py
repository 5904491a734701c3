"""The feedback columns of a log: which they are, and how their values are read as signals."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import Check
from recframe_plugins.datasets.files.tables import SourceTable, named_column
from recframe_plugins.datasets.interaction_logs.roles import signal_of
from recframe_plugins.datasets.interaction_logs.values import is_missing, numbers, shown_value

__all__ = ["Signal", "find_feedback"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signal:
    """A signal and its column. equals: the value at which it is 1, where the column holds names of events; None for numbers."""

    name: str
    column: str
    equals: str | None = None

    @property
    def described(self) -> str:
        """Where it comes from, for the log."""
        return self.column if self.equals is None else f"({self.column} is {self.equals})"

    def value(self, schema: Mapping[str, pl.DataType], where: str) -> pl.Expr:
        """Its values, float64; NaN where they are missing, null where they are no numbers or not finite."""
        dtype = schema[self.column]
        if self.equals is not None:
            return (pl.col(self.column).cast(pl.String).str.strip_chars() == self.equals).fill_null(False).cast(pl.Float64)
        number = numbers(self.column, dtype, where)
        return pl.when(is_missing(self.column, dtype)).then(float("nan")).when(number.is_finite()).then(number)

    def check(self, made: str, dtype: pl.DataType) -> Check:
        """The check of its values, which are in the column `made`."""
        shown = shown_value(self.column, dtype)
        problem = pl.format("column '{}': {} is not a finite number, expected one such as 3.5", pl.lit(self.column), shown)
        return Check(f"bad {self.name}", pl.col(made).is_null(), problem)


def find_feedback(table: SourceTable, first: pl.DataFrame, given: Mapping[str, str], taken: Collection[str]) -> list[Signal]:
    """The signals of a log: those `given` (columns by signal), or all columns of numbers that are named like feedback.

    Parameters
    ----------
    first: the first rows.   taken: columns that have a role.

    Raises
    ------
    DataError: a given column does not exist.
    """
    if given:
        return [given_signal(table, first, name, column) for name, column in given.items()]
    found: dict[str, Signal] = {}
    for column in table.columns:
        name = None if column in taken else signal_of(column)
        if name is None:
            continue
        if not holds_numbers(first[column]):
            logger.warning("%s: column %s is named like feedback but holds no numbers, and is not used", table.path, column)
        elif name in found:
            logger.warning("%s: %s and %s may both be %s; %s is taken", table.path, found[name].column, column, name, found[name].column)
        else:
            found[name] = Signal(name, column)
    return list(found.values())


def given_signal(table: SourceTable, first: pl.DataFrame, name: str, column: str) -> Signal:
    """The signal that a setting names."""
    setting = f"dataset.feedback.{name}"
    event, separator, value = column.rpartition(":")
    if not separator or column in table.columns:
        return Signal(name, named_column(table, column, setting))
    event = named_column(table, event, setting)
    if first.schema[event].is_nested():
        raise DataError(f"{setting}={column}: column {event!r} of {table.path} is of type {first.schema[event]}, expected names of events")
    return Signal(name, event, value.strip())


def holds_numbers(column: pl.Series) -> bool:
    """Whether most of the first known values of a column are numbers."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return True
    if column.dtype != pl.String:
        return False
    frame = column.to_frame()
    known = frame.filter(~is_missing(column.name, column.dtype)).head(1_000)
    values: Sequence[float | None] = known.select(numbers(column.name, column.dtype, ""))[column.name].to_list()
    return 2 * sum(value is not None for value in values) >= len(values)
