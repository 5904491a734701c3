"""Reads the rows of a log: finds its columns, and checks every row."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import EMPTY_REPORT, Check, MalformedRows, part_rows
from recframe_plugins.datasets.files.separators import separator_name
from recframe_plugins.datasets.files.tables import SourceTable
from recframe_plugins.datasets.interaction_logs.config import LogColumnsConfig
from recframe_plugins.datasets.interaction_logs.feedback import Signal, find_feedback
from recframe_plugins.datasets.interaction_logs.roles import LOG_NAMES, find_columns
from recframe_plugins.datasets.interaction_logs.times import Times, read_times
from recframe_plugins.datasets.interaction_logs.values import ids, numbers, shown_value

__all__ = ["FRACTION", "LogLayout", "LogRows", "asked_column", "feature_column", "log_layout", "read_log"]

logger = logging.getLogger(__name__)

FRACTION = "fraction of second"
"""The column of `LogRows.rows` that orders the rows of one second."""


@dataclass(frozen=True)
class LogLayout:
    """Which columns of a log mean what. columns: by role.   signals: those of feedback.   features: columns kept as they are.

    asked: columns that say among what was chosen (`logged_choices.ASKED`), kept as they are; empty: none does.

    A log without a column for users has one user for each row.
    """

    columns: Mapping[str, str]
    signals: Sequence[Signal]
    features: Sequence[str] = ()
    asked: Sequence[str] = ()

    @property
    def wanted(self) -> list[str]:
        """All columns to read."""
        return list(dict.fromkeys([*self.columns.values(), *(signal.column for signal in self.signals), *self.features, *self.asked]))

    @property
    def optional(self) -> list[str]:
        """The optional columns of interactions that the log has."""
        return [role for role in ("session", "text", "position", "propensity") if role in self.columns]


class LogRows(NamedTuple):
    """The usable rows of a log, in file order, and the others.

    rows: `line`, `user`, `item` (strings), `timestamp` (int64, seconds), a float64 column for each signal (NaN where missing), and
        `session`, `text` (strings), `position` (int64), `propensity` (float64) if the log has them; then features (`feature_column`) and
        what was asked (`asked_column`); and `FRACTION`, the nanoseconds after the whole second, if the log has times.
    """

    rows: pl.DataFrame
    malformed: MalformedRows


def log_layout(table: SourceTable, config: LogColumnsConfig, *, required: Sequence[str] = ("user", "item")) -> LogLayout:
    """Find the columns of a log. Where users are required but only sessions are found, each session is a user.

    Raises
    ------
    DataError: a required column is not found, or one that is named does not exist.
    """
    first = table.sample()
    columns = find_columns(table, LOG_NAMES, config.columns, "dataset.columns")
    if "text" in columns and "text" not in config.columns and first.schema[columns["text"]] != pl.String:
        del columns["text"]
    if "user" in required and "user" not in columns and "session" in columns:
        logger.info("%s: no column holds users; each session in %s is one", table.path, columns["session"])
        columns["user"] = columns["session"]
    if any(role not in columns for role in required):
        find_columns(table, {}, columns, "dataset.columns", required=required)
    return LogLayout(columns, find_feedback(table, first, config.feedback, set(columns.values())))


def say_layout(table: SourceTable, layout: LogLayout) -> None:
    """Log in one line which columns mean what."""
    parts = [f"{role} = {column}" for role, column in layout.columns.items()]
    parts += [f"{signal.name} = {signal.described}" for signal in layout.signals] or ["no feedback (an implicit log)"]
    if layout.features:
        parts.append(f"{len(layout.features)} columns of features")
    if layout.asked:
        parts.append("what requests asked for, as recframe exports it")
    separator = getattr(table, "separator", None)
    between = f"; {separator_name(separator)} between the fields" if separator else ""
    unused = [name for name in table.columns if name not in layout.wanted]
    left = f"; not used: {', '.join(unused[:8])}{' ...' if len(unused) > 8 else ''}" if unused else ""
    logger.info("%s: %s%s%s", table.path, ", ".join(parts), between, left)


def made(name: str) -> str:
    """The column of a block that holds the values of `name` as they are read; other columns are as the file has them."""
    return f"made:{name}"


def feature_column(name: str) -> str:
    """The column of `LogRows.rows` that holds a column of features."""
    return f"feature:{name}"


def asked_column(name: str) -> str:
    """The column of `LogRows.rows` that holds a column of `LogLayout.asked`."""
    return f"asked:{name}"


def read_log(table: SourceTable, layout: LogLayout, time_unit: str, *, hide: bool = False) -> LogRows:
    """Read and check all rows, and say what was found.

    hide: whether messages must not show values that may be ids of users.

    Raises
    ------
    DataError: a column has a type that its meaning does not allow, or times in no known form.
    """
    say_layout(table, layout)
    columns, where = layout.columns, str(table.path)
    times: Times | None = None
    good, bad = [], [EMPTY_REPORT, table.unreadable]
    for block in table.rows(layout.wanted):
        if times is None and "time" in columns:
            times = read_times(table.path, block, columns["time"], time_unit)
        elif times is not None:
            # a block of a column that is null throughout may have another type
            times = replace(times, dtype=block.schema[columns["time"]])
        rows = block.with_columns(made_columns(block.schema, layout, where))
        if times is not None:
            rows = times.added_to(rows, made("timestamp"), made(FRACTION), where)
        usable, malformed = part_rows(rows, row_checks(table, block.schema, layout, times, hide=hide))
        good.append(usable.select(output_columns(layout)))
        bad.append(malformed)
    if times is None:
        logger.warning("%s: has no times; the order of its rows stands for the order in time", table.path)
    return LogRows(pl.concat(good), MalformedRows(table.path, pl.concat(bad).sort("line"), table.unit))


def made_columns(schema: pl.Schema, layout: LogLayout, where: str) -> list[pl.Expr]:
    """The columns of the result, null where a value is missing or wrong; the time is the line, where there is none."""
    columns = layout.columns

    def of(role: str) -> tuple[str, pl.DataType, str]:
        return columns[role], schema[columns[role]], where

    values = {
        "user": ids(*of("user")) if "user" in columns else pl.format("row-{}", "line"),
        "item": ids(*of("item")),
    }
    if "time" not in columns:
        values["timestamp"] = pl.col("line")
    for role in layout.optional:
        values[role] = {"session": ids, "text": text, "position": numbers, "propensity": numbers}[role](*of(role))
    values |= {signal.name: signal.value(schema, where) for signal in layout.signals}
    return [value.alias(made(name)) for name, value in values.items()]


def text(column: str, dtype: pl.DataType, where: str) -> pl.Expr:
    """A column of text; "" where it is missing."""
    if dtype not in (pl.String, pl.Null):
        raise DataError(f"{where}: column {column!r} is of type {dtype}, expected text; name another with +dataset.columns.text=COLUMN")
    return pl.col(column).cast(pl.String).fill_null("").str.strip_chars()


def row_checks(table: SourceTable, schema: pl.Schema, layout: LogLayout, times: Times | None, *, hide: bool) -> list[Check]:
    """All checks of a row, in the order in which they count."""
    columns = layout.columns

    def shown(role: str) -> pl.Expr:
        return shown_value(columns[role], schema[columns[role]])

    checks = table.checks(layout.wanted, hide=hide)
    strings = [name for name in layout.wanted if schema[name] == pl.String]
    if table.unit == "line" and len(strings) > 1:
        repeated = pl.all_horizontal(pl.col(name) == name for name in strings)
        checks.append(Check("repeated header", repeated, pl.lit("is the header again, expected a row")))
    for role in ("user", "item", "session"):
        if role in columns:
            problem = pl.lit(f"column {columns[role]!r}: empty {role} id, expected one such as '1'")
            checks.append(Check("empty id", pl.col(made(role)).is_null(), problem))
    checks += [] if times is None else times.checks(made("timestamp"), str(table.path))
    checks += [signal.check(made(signal.name), schema[signal.column]) for signal in layout.signals]
    if "position" in columns:
        place = pl.col(made("position"))
        problem = pl.format("column '{}': {} is no place in a slate, expected 0, 1, 2, ...", pl.lit(columns["position"]), shown("position"))
        checks.append(Check("bad position", (place.is_null() | (place < 0) | (place != place.floor()) | ~place.is_finite()), problem))
    if "propensity" in columns:
        share = pl.col(made("propensity"))
        problem = pl.format(
            "column '{}': {} is no probability of an item that was shown, expected more than 0 and at most 1",
            pl.lit(columns["propensity"]),
            shown("propensity"),
        )
        checks.append(Check("bad propensity", share.is_null() | ~share.is_between(0, 1, closed="right"), problem))
    return checks


def output_columns(layout: LogLayout) -> list[pl.Expr]:
    """The columns of the result, of a checked block."""
    names = ["user", "item", "timestamp", *layout.optional, *(signal.name for signal in layout.signals)]
    names += [FRACTION] if "time" in layout.columns else []
    types = {"position": pl.Int64}
    values = [pl.col(made(name)).cast(types[name]).alias(name) if name in types else pl.col(made(name)).alias(name) for name in names]
    kept = [(name, feature_column(name)) for name in layout.features] + [(name, asked_column(name)) for name in layout.asked]
    return [pl.col("line"), *values, *(pl.col(name).alias(alias) for name, alias in kept)]
