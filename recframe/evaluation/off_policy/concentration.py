"""Intervals that hold for every distribution within known bounds: Hoeffding's, and empirical Bernstein's.

They are much longer than bootstrap intervals. They are right at any number of people, whatever the skew, if the bounds are right: known
beforehand, not read from the data.
"""

from __future__ import annotations

import numpy as np

from recframe.evaluation.statistics import LEVEL, Interval, sums_by_person
from recframe.interfaces.data import DataError


def hoeffding(values: np.ndarray, low: float, high: float, level: float = LEVEL) -> Interval:
    """Mean of `values` `[n]`, independent and within `[low, high]`: `+- (high - low) sqrt(ln(2 / delta) / (2 n))` (Hoeffding, 1963)."""
    values = _within(values, low, high)
    reach = (high - low) * np.sqrt(np.log(2 / (1 - level)) / (2 * len(values)))
    return _around(values, float(reach))


def empirical_bernstein(values: np.ndarray, low: float, high: float, level: float = LEVEL) -> Interval:
    """The same with the sample variance V: `+- sqrt(2 V ln(4 / delta) / n) + 7 (high - low) ln(4 / delta) / (3 (n - 1))`.

    Maurer & Pontil (2009), theorem 4, with delta / 2 on each side.
    """
    values = _within(values, low, high)
    if len(values) < 2:
        return Interval(float(values.mean()), np.nan, np.nan, len(values))
    term = np.log(4 / (1 - level))
    reach = np.sqrt(2 * values.var(ddof=1) * term / len(values)) + 7 * (high - low) * term / (3 * (len(values) - 1))
    return _around(values, float(reach))


def values_of_people(values: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, float]:
    """One value a person, `[P]`, with the mean of `values` `[n]` as their mean, and by how much bounds of rows must be multiplied.

    A person's value is the sum of their rows divided by the mean number of rows a person: independent over people, and at most the
    largest number of rows over the mean number times the bound of a row. Bounds multiplied so must include 0.
    """
    numbers = np.unique(people, return_inverse=True)[1]
    counts = np.bincount(numbers)
    scale = len(values) / len(counts)
    return sums_by_person(values[:, None], numbers)[:, 0] / scale, float(counts.max() / scale)


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    if not values.size or not (low - slack <= values.min() and values.max() <= high + slack):
        found = "there are none" if not values.size else f"they are {values.min():g} to {values.max():g}"
        raise DataError(f"values must be within their bounds, {low:g} to {high:g}; {found}")
    return values


def _around(values: np.ndarray, reach: float) -> Interval:
    mean = float(values.mean())
    return Interval(mean, mean - reach, mean + reach, len(values))
