"""Confidence intervals over people: bootstrap-t intervals of means and ratios, jackknife intervals of properties of a set of people.

People are the unit that is resampled or left out: the sessions of one person and the turns of a session depend on each other, people are
independent (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8, 12 and 13).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000
LEVEL = 0.95

# people from which on Student's t takes the place of resamples: these take minutes, and change the limits by less than their own noise
LARGE_SAMPLE = 100_000

# number of float64 values held at once while resampling (32 MiB)
CHUNK_ELEMENTS = 4_000_000


class Interval(NamedTuple):
    """An estimate and its confidence interval, from `n` people. The interval of one person is NaN: it is unknown."""

    mean: float
    low: float
    high: float
    n: int


def sums_by_person(values: np.ndarray, people: np.ndarray) -> np.ndarray:
    """The sums `[P, m]` of each person's rows of `values` `[S, m]`; `people` `[S]` are numbers from 0 to P - 1."""
    sums = np.zeros((int(people.max()) + 1, *values.shape[1:]))
    np.add.at(sums, people, values)
    return sums


def bootstrap_weights(num_people: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each person is in each resample: float64 arrays `[r, N]` whose rows sum to N, `resamples` rows in total.

    They are generated in chunks, so that `r * N` stays bounded.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_ELEMENTS // num_people)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = generator.integers(num_people, size=(count, num_people)) + np.arange(count)[:, None] * num_people
        yield np.bincount(drawn.ravel(), minlength=count * num_people).reshape(count, num_people).astype(np.float64)


def ratio_intervals(
    numerators: np.ndarray, denominators: np.ndarray, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """Bootstrap-t intervals of `r = sum(numerator) / sum(denominator)` over people, one for each of m statistics.

    With e = numerator - r denominator, the standard error of r is `s = sqrt(sum e^2) / sum(denominator)` (linearised). A resample of
    people gives r* and its own s*; the interval is `[r - s q_high, r - s q_low]` with quantiles q of `(r* - r) / s*` (Efron & Tibshirani
    1993, section 12.5). Returns are skewed and people are few: percentile intervals are then too short (docs/results/coverage.md). Where
    some resamples have no spread (a handful of people, or almost all with the same value), there are too few different resamples to rely
    on, and the interval reaches at least as far as Student's t on both sides. With `LARGE_SAMPLE` people or more, it is that of
    Student's t.

    Parameters
    ----------
    numerators, denominators: `[P, m]`, one row per person: sums over the person's sessions. The denominators of a mean over sessions
        are their numbers. A person for whom a statistic is undefined has zeros in both. A rate such as clicks per shown item is a ratio
        of sums, not a mean of people's ratios.

    Returns
    -------
    One `Interval` per column. `n` is the number of people with a denominator above zero; if there are none, the other fields are NaN.
    """
    return RatioBootstrap(numerators, denominators, seed, resamples).intervals(level)


class RatioBootstrap:
    """The resamples behind `ratio_intervals`, which give intervals of any level.

    estimates: `[m]`.   counts: `[m]`, the people with a denominator above zero.   resamples: their number.
    """

    def __init__(self, numerators: np.ndarray, denominators: np.ndarray, seed: int, resamples: int = RESAMPLES) -> None:
        numerators, denominators = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
        self.resamples = resamples
        self.counts = (denominators > 0).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            totals = denominators.sum(axis=0)
            self.estimates = numerators.sum(axis=0) / totals
            residuals = numerators - self.estimates * denominators
            squares = (residuals**2).sum(axis=0)
            self._errors = np.sqrt(squares) / totals
            if len(numerators) >= LARGE_SAMPLE:
                self._studentised = np.full((1, len(squares)), np.nan)
            else:
                columns = np.concatenate([residuals, denominators, residuals**2, residuals * denominators, denominators**2], axis=1)
                self._studentised = np.concatenate(
                    [_studentised(weights @ columns, squares) for weights in bootstrap_weights(len(numerators), resamples, seed)]
                )
        self._few_different = np.isnan(self._studentised).any(axis=0)

    def limits(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper limits `[m]` of the intervals of this level; NaN for fewer than two people."""
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            # a statistic that is undefined, or the same for everybody, has only NaN resamples
            warnings.filterwarnings("ignore", "All-NaN slice")
            low, high = np.nan_to_num(np.nanquantile(self._studentised, [(1 - level) / 2, (1 + level) / 2], axis=0))
            # without SciPy where there are enough people, as in most evaluations
            reach = np.where(self._few_different, _student_reach(self.counts, level), 0.0) if self._few_different.any() else 0.0
            lows = self.estimates - self._errors * np.maximum(high, reach)
            highs = self.estimates - self._errors * np.minimum(low, -reach)
        unknown = self.counts < 2
        return np.where(unknown, np.nan, lows), np.where(unknown, np.nan, highs)

    def intervals(self, level: float = LEVEL) -> list[Interval]:
        """One interval for each of the m statistics."""
        columns = zip(self.estimates, *self.limits(level), self.counts, strict=True)
        return [Interval(float(estimate), float(low), float(high), int(n)) for estimate, low, high, n in columns]


def rate_interval(interval: Interval, level: float = LEVEL) -> Interval:
    """The interval of a rate, within 0 and 1; where nobody differs from anybody, an exact one in place of one without width.

    If none of n people ever did it, the share of those who ever do is at most `1 - ((1 - level) / 2)^(1 / n)` (Clopper & Pearson, 1934),
    and the rate is no larger; the same from above, if everybody always did it.
    """
    interval = interval._replace(low=max(interval.low, 0.0), high=min(interval.high, 1.0))
    if interval.low != interval.high or interval.mean not in (0.0, 1.0) or not interval.n:
        return interval
    reach = 1.0 - ((1.0 - level) / 2.0) ** (1.0 / interval.n)
    return interval._replace(high=reach) if interval.mean == 0.0 else interval._replace(low=1.0 - reach)


def _studentised(sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """`(r* - r) / s*` of each resample, `[r, m]`, from its weighted sums `[r, 5 m]`; NaN where a resample has no spread."""
    residual, total, square, product, total_square = np.split(sums, 5, axis=1)
    shift = residual / total
    spread = square - 2 * shift * product + shift**2 * total_square
    # what is left of equal values after rounding is not a spread
    spread = np.where(spread > 1e-10 * squares, spread, np.nan)
    statistic: np.ndarray = shift * total / np.sqrt(spread)
    return statistic


def _student_reach(counts: np.ndarray, level: float) -> np.ndarray:
    """Student's t-quantile for n people, times `sqrt(n / (n - 1))`, by which the linearised standard error is too small."""
    degrees = np.maximum(counts - 1, 1)
    reach: np.ndarray = student_quantile(degrees, level) * np.sqrt((degrees + 1) / degrees)
    return reach


def student_quantile(degrees: np.ndarray | int, level: float) -> np.ndarray:
    """The quantile of Student's t beyond which lies `(1 - level) / 2` of the distribution on each side."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees, (1 + level) / 2))


def jackknife_interval(estimate: float, left_out: np.ndarray, num_people: int) -> Interval:
    """A 95 % interval for a statistic in `[0, 1]` of a *set* of people, from its values `[G]` with each of G groups of people left out.

    `estimate +- 1.96 sd` with `sd^2 = (G - 1) / G sum_g (left_out_g - mean)^2`, clipped to `[0, 1]`. In expectation the jackknife
    variance is too large, never too small (Efron & Stein 1981), so the interval is conservative. With fewer than two groups it is NaN.
    """
    if len(left_out) < 2:
        return Interval(estimate, float("nan"), float("nan"), num_people)
    reach = 1.959964 * float(np.sqrt((len(left_out) - 1) * left_out.var()))
    return Interval(estimate, max(0.0, estimate - reach), min(1.0, estimate + reach), num_people)
