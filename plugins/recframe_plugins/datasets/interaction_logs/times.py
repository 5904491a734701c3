"""Times of interactions as unix seconds: finds out whether a column holds dates, seconds or fractions of seconds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.malformed_rows import Check
from recframe_plugins.datasets.interaction_logs.values import is_missing, numbers, shown_value, whole_numbers

__all__ = ["Times", "read_times"]

logger = logging.getLogger(__name__)

NANOSECONDS = 1_000_000_000
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NANOSECONDS}
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "small": "numbers below 100,000,000"}
# Times from 1973 to the year 5138 in one unit are none in another.
BANDS = {"s": (10**8, 10**11), "ms": (10**11, 10**14), "us": (10**14, 10**17), "ns": (10**17, 2**63 - 1)}
FIRST_SECOND = 10**8

# After a blank between date and time is made a T; the second group has no zone, which is read as UTC.
ZONED = ("%+", "%a %b %d %H:%M:%S %z %Y", "%Y-%m-%dT%H:%M:%S%.f UTC")
NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y/%m/%dT%H:%M:%S%.f", "%Y/%m/%d")
SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class Times:
    """How a column of times is read. unit: "s", "ms", "us", "ns", "small" (no unix times: numbers that only order rows) or "iso".

    found: whether the unit was found out, so that values of another magnitude contradict it.   formats: those of dates.
    """

    column: str
    dtype: pl.DataType
    unit: str
    found: bool = False
    formats: tuple[str, ...] = ()

    def seconds(self, where: str) -> pl.Expr:
        """Unix seconds, int64, rounded down; null where a value is missing or no time."""
        if self.unit == "iso":
            return self._moment().dt.epoch("s")
        return whole_numbers(self.column, self.dtype, where) // PER_SECOND.get(self.unit, 1)

    def added_to(self, block: pl.DataFrame, seconds: str, fraction: str, where: str) -> pl.DataFrame:
        """The block with the column `seconds` (see there), and `fraction`: what that leaves out, in nanoseconds, int32."""
        if self.unit == "iso":
            # dates take long to parse: once for both
            moment = block.with_columns(self._moment().alias(seconds))
            return moment.with_columns(pl.col(seconds).dt.epoch("s"), pl.col(seconds).dt.nanosecond().alias(fraction))
        return block.with_columns(self.seconds(where).alias(seconds), self._fraction_of_number(where).alias(fraction))

    def _fraction_of_number(self, where: str) -> pl.Expr:
        per_second = PER_SECOND.get(self.unit, 1)
        if per_second > 1:
            rest = whole_numbers(self.column, self.dtype, where) % per_second
            return (rest * (NANOSECONDS // per_second)).cast(pl.Int32)
        if self.dtype.is_integer():
            return pl.lit(0, pl.Int32)
        value = numbers(self.column, self.dtype, where)
        return ((value - value.floor()) * NANOSECONDS).cast(pl.Int32, strict=False)

    def _moment(self) -> pl.Expr:
        """Dates as date and time."""
        value = pl.col(self.column)
        if self.dtype == pl.Date:
            return value.cast(pl.Datetime("us"))
        if isinstance(self.dtype, pl.Datetime):
            return value
        text = value.str.strip_chars().str.replace(r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2}) ", "${1}T")
        parsed = [
            text.str.to_datetime(one, time_zone="UTC", time_unit="us", strict=False)
            if one in ZONED
            else text.str.to_datetime(one, time_unit="us", strict=False).dt.replace_time_zone("UTC")
            for one in self.formats
        ]
        return pl.coalesce(parsed)

    def checks(self, made: str, where: str) -> list[Check]:
        """Checks of rows in which the column `made` is `seconds`."""
        expected = "a date such as 2024-05-31 12:00:00" if self.unit == "iso" else "a number such as 978300760 (seconds since 1970)"
        shown = shown_value(self.column, self.dtype)
        found = [
            Check("empty time", is_missing(self.column, self.dtype), pl.lit(f"column {self.column!r}: no time, expected {expected}")),
            Check(
                "bad time",
                pl.col(made).is_null(),
                pl.format("column '{}': {} is no time, expected {}", pl.lit(self.column), shown, pl.lit(expected)),
            ),
            Check(
                "time before 1970",
                pl.col(made) < 0,
                pl.format("column '{}': {} is before 1970, expected {}", pl.lit(self.column), shown, pl.lit(expected)),
            ),
        ]
        if self.found and self.unit != "iso":
            value = whole_numbers(self.column, self.dtype, where)
            low, high = (0, FIRST_SECOND) if self.unit == "small" else (0, BANDS[self.unit][1])
            # numbers below the band may be missing times (0) or early ones; a smaller unit of time is neither
            other = (value >= high) | ((value >= FIRST_SECOND) & (value < BANDS.get(self.unit, (low, high))[0]))
            found.append(
                Check(
                    "other unit of time",
                    other,
                    pl.format(
                        "column '{}': {} is not in {}, as the times of most rows are; expected one unit",
                        pl.lit(self.column),
                        shown,
                        pl.lit(NAMES[self.unit]),
                    ),
                )
            )
        return found


def read_times(path: Path, block: pl.DataFrame, column: str, unit: str) -> Times:
    """How to read the times in a column, by the first rows of a file.

    Parameters
    ----------
    block: the first rows.   unit: "auto", "iso", or the unit of numbers.

    Raises
    ------
    DataError: most values are neither numbers nor dates of a known form.
    """
    dtype = block.schema[column]
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return Times(column, dtype, "iso", found=True)
    if dtype != pl.String and not dtype.is_numeric():
        raise DataError(f"{path}: column {column!r} is of type {dtype}, expected times: numbers or dates")
    known = block.filter(~is_missing(column, dtype)).select(column)
    value = known.select(whole_numbers(column, dtype, str(path)))[column].drop_nulls()
    if unit in PER_SECOND:
        return Times(column, dtype, unit)
    if unit == "iso" or (2 * len(value) < len(known)):
        return dates_of(path, known.head(SAMPLE_ROWS), column, dtype)
    counts = {name: int(value.is_between(low, high, closed="left").sum()) for name, (low, high) in BANDS.items()}
    counts["small"] = int((value < FIRST_SECOND).sum())
    likeliest = max(counts, key=lambda name: counts[name])
    if likeliest == "small":
        logger.warning(
            "%s: the times in %s are no unix times (such as %s); they are taken as they are, and order the rows",
            path,
            column,
            value.first(),
        )
    return Times(column, dtype, likeliest, found=True)


def dates_of(path: Path, known: pl.DataFrame, column: str, dtype: pl.DataType) -> Times:
    """How to read the dates of a sample, by the formats that they have."""
    if dtype != pl.String:
        raise DataError(f"{path}: column {column!r} holds numbers, expected dates (dataset.time_unit=iso); use dataset.time_unit=auto")
    where = str(path)
    formats = [
        one
        for one in (*ZONED, *NAIVE)
        if known.select(Times(column, dtype, "iso", formats=(one,)).seconds(where))[column].drop_nulls().len() > 0
    ]
    times = Times(column, dtype, "iso", found=True, formats=tuple(formats))
    if formats and 2 * known.select(times.seconds(where))[column].drop_nulls().len() >= len(known):
        return times
    first = known[column].first()
    raise DataError(
        f"{path}: column {column!r}: {first!r} is neither a number nor a date such as 2024-05-31 12:00:00 or 2024-05-31T12:00:00Z; "
        "name another column with +dataset.columns.time=COLUMN"
    )
