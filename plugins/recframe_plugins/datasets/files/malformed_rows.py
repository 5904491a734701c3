"""Separates usable rows from malformed rows, and reports the malformed rows with their lines and the expected content."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError

__all__ = ["EMPTY_REPORT", "Check", "MalformedRows", "count_reasons", "judge", "part_rows", "quoted"]

logger = logging.getLogger(__name__)

ROWS_SHOWN = 5
EMPTY_REPORT = pl.DataFrame(schema={"line": pl.Int64, "reason": pl.String, "problem": pl.String})


class Check(NamedTuple):
    """A reason to refuse rows: its name, a boolean expression that is true for such rows, and a string expression with the message."""

    reason: str
    fails: pl.Expr
    problem: pl.Expr


@dataclass(frozen=True)
class MalformedRows:
    """The refused rows of a file: columns `line` (from 1), `reason` and `problem`. unit: what `line` counts, "line" or "row"."""

    path: Path
    rows: pl.DataFrame
    unit: str = "line"

    def __len__(self) -> int:
        return self.rows.height

    def describe(self, most: int) -> list[str]:
        """The first `most` rows, each as "file:line: problem, expected content"."""
        between = ":" if self.unit == "line" else f": {self.unit} "
        return [f"{self.path}{between}{line}: {problem}" for line, problem in self.rows.head(most).select("line", "problem").iter_rows()]


def count_reasons(reports: Sequence[MalformedRows]) -> str:
    """The number of refused rows for each reason, as in "2 unknown item, 1 bad rating"."""
    counts = (
        pl.concat([report.rows for report in reports])["reason"].value_counts(sort=True).sort("count", "reason", descending=[True, False])
    )
    return ", ".join(f"{count} {reason}" for reason, count in counts.iter_rows())


def judge(reports: Sequence[MalformedRows], malformed: str) -> None:
    """Raise an error for malformed rows (`malformed="error"`), or log that they were left out (`"skip"`).

    Raises
    ------
    DataError: with the first rows, each with file, line, problem and the expected content.
    """
    total = sum(map(len, reports))
    if not total:
        return
    shown = [row for report in reports for row in report.describe(ROWS_SHOWN)][:ROWS_SHOWN]
    if malformed == "skip":
        logger.warning("left out %d malformed row(s) (%s); the first is %s", total, count_reasons(reports), shown[0])
        return
    more = [f"and {total - len(shown)} more"] if total > len(shown) else []
    heading = f"{total} malformed row(s) ({count_reasons(reports)}); fix them, or leave them out with dataset.malformed=skip:"
    raise DataError("\n  ".join([heading, *shown, *more]))


def part_rows(rows: pl.DataFrame, checks: Sequence[Check]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that pass all checks; and `line`, `reason` and `problem` of the others, by the first check that each fails."""
    first_failed = pl.coalesce(*(pl.when(check.fails).then(pl.lit(number)) for number, check in enumerate(checks)))
    marked = rows.with_columns(failed=first_failed)
    good = marked.filter(pl.col("failed").is_null()).drop("failed")
    failed = [pl.when(pl.col("failed") == number) for number in range(len(checks))]
    bad = marked.filter(pl.col("failed").is_not_null()).select(
        "line",
        reason=pl.coalesce(*(when.then(pl.lit(check.reason)) for when, check in zip(failed, checks, strict=True))),
        problem=pl.coalesce(*(when.then(check.problem) for when, check in zip(failed, checks, strict=True))),
    )
    return good, bad


def quoted(column: str) -> pl.Expr:
    """The value of a column for a message: in quotes, and shortened if it is long."""
    value = pl.col(column)
    return pl.format("'{}'", pl.when(value.str.len_chars() > 80).then(value.str.slice(0, 77) + "...").otherwise(value))
