"""What interactions look like: how many each user and item has, when they were, and what the feedback is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from recframe.data_profile.quantities import Histogram, Quantiles, concentration, gini_index

MOST_VALUES = 12
"""A signal with more values than this is shown as a histogram."""
SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Activity:
    """The interactions of each user, or of each item. Quantiles and histogram are over those that have at least one.

    without: those that have none.   once: those that have one.   top: the most that one of them has.
    concentration: the share of the interactions that the most active have, as in `quantities.concentration`, over all.
    """

    total: int
    without: int
    once: int
    top: int
    quantiles: Quantiles
    histogram: Histogram
    gini: float
    concentration: tuple[tuple[float, float], ...]

    @property
    def top_tenth(self) -> float:
        """The share of the interactions that the most active 10 % have."""
        return max((share for place, share in self.concentration if place <= 0.1), default=0.0)


@dataclass(frozen=True)
class TimeSpan:
    """When interactions were, in unix seconds. same: the interactions of a user in the same second as another of theirs."""

    first: int
    last: int
    distinct: int
    histogram: Histogram
    same: int
    whole_days: bool

    @property
    def days(self) -> float:
        """The length of the span."""
        return (self.last - self.first) / SECONDS_A_DAY


@dataclass(frozen=True)
class Feedback:
    """The values of a signal. values: all of them with their counts, if they are few; otherwise None, and there is a histogram."""

    name: str
    known: int
    missing: int
    distinct: int
    quantiles: Quantiles | None
    values: tuple[tuple[float, int], ...] | None
    histogram: Histogram | None

    @property
    def most_common(self) -> float:
        """The share of the most frequent value among the known ones; 0 if the values are many."""
        return max((count for _, count in self.values or ()), default=0) / max(self.known, 1)


def activity_of(frame: pl.DataFrame, column: str, total: int) -> Activity:
    """The interactions of each of `total` users or items, whose numbers are in `column`."""
    counts = frame[column].value_counts()["count"].cast(pl.Int64)
    total = max(total, len(counts))
    everybody = pl.concat([counts, pl.zeros(total - len(counts), dtype=pl.Int64, eager=True).alias("count")])
    return Activity(
        total=total,
        without=total - len(counts),
        once=int((counts == 1).sum()),
        top=int(counts.to_numpy().max()),
        quantiles=Quantiles.of(counts),
        histogram=Histogram.of_counts(counts),
        gini=gini_index(everybody),
        concentration=concentration(everybody),
    )


def span_of(frame: pl.DataFrame) -> TimeSpan:
    """When the interactions were."""
    times = frame["timestamp"]
    first, last = int(times.to_numpy().min()), int(times.to_numpy().max())
    return TimeSpan(
        first=first,
        last=last,
        distinct=times.n_unique(),
        histogram=Histogram.of(times),
        same=frame.select(pl.struct("user", "timestamp").is_duplicated().sum()).item(),
        whole_days=bool((times % SECONDS_A_DAY == 0).all()),
    )


def feedback_of(values: pl.Series, name: str) -> Feedback:
    """The values of one signal; null and NaN are missing."""
    known = values.cast(pl.Float64).fill_nan(None).drop_nulls()
    missing = len(values) - len(known)
    if not len(known):
        return Feedback(name, 0, missing, 0, None, (), None)
    counts = known.value_counts().sort(known.name)
    few = counts.height <= MOST_VALUES
    return Feedback(
        name=name,
        known=len(known),
        missing=missing,
        distinct=counts.height,
        quantiles=Quantiles.of(known),
        values=tuple((float(value), int(count)) for value, count in counts.iter_rows()) if few else None,
        histogram=None if few else Histogram.of(known),
    )


def day_of(seconds: int) -> str:
    """The day of a time (UTC), or its seconds if no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:,} s"
