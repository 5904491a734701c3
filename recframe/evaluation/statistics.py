"""How sure a figure is: bootstrap intervals of means and ratios over users, jackknife intervals of what a set of users has in common.

Users are the unit that is resampled, or left out: what one user does from turn to turn is dependent, users are not
(Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000
LEVEL = 0.95

# of float64 held at once while resampling (32 MiB)
CHUNK_ELEMENTS = 4_000_000


class Interval(NamedTuple):
    """An estimate and its confidence interval; `n` users went into it."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap_weights(num_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each user is in each resample: float64 `[r, N]` arrays whose rows sum to N, `resamples` rows in all.

    They come in chunks, so that `r * N` stays bounded.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_ELEMENTS // num_users)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        drawn = generator.integers(num_users, size=(count, num_users)) + np.arange(count)[:, None] * num_users
        yield np.bincount(drawn.ravel(), minlength=count * num_users).reshape(count, num_users).astype(np.float64)


def ratio_intervals(
    numerators: np.ndarray, denominators: np.ndarray, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """Percentile bootstrap intervals of `sum(numerator) / sum(denominator)` over users, one for each of m statistics.

    Parameters
    ----------
    numerators, denominators: `[N, m]`. A mean over users has ones for denominators; a user for whom a statistic is
        undefined has zeros in both. A rate such as clicks per shown item is a ratio of sums, not a mean of the users' ratios.

    Returns
    -------
    One `Interval` a column; `n` counts the users with a denominator above zero. NaN throughout where there are none.
    """
    numerators, denominators = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimates = numerators.sum(axis=0) / denominators.sum(axis=0)
        resampled = np.concatenate(
            [(weights @ numerators) / (weights @ denominators) for weights in bootstrap_weights(len(numerators), resamples, seed)]
        )
    with warnings.catch_warnings():
        # a statistic that no user defines has only NaN resamples, and NaN is the right answer
        warnings.filterwarnings("ignore", "All-NaN slice")
        lows, highs = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    counts = (denominators > 0).sum(axis=0)
    return [Interval(float(e), float(lo), float(hi), int(n)) for e, lo, hi, n in zip(estimates, lows, highs, counts, strict=True)]


def mean_interval(values: np.ndarray, seed: int, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """Percentile bootstrap interval of the mean of `values` `[N]`, NaN left out."""
    values = np.asarray(values, dtype=np.float64)
    defined = np.isfinite(values)
    return ratio_intervals(np.where(defined, values, 0.0)[:, None], defined[:, None], seed, resamples, level)[0]


def jackknife_interval(estimate: float, left_out: np.ndarray, num_users: int) -> Interval:
    """A 95 % interval for a statistic in `[0, 1]` of the *set* of users, from its values `[G]` with each of G groups of users left out.

    `estimate +- 1.96 sd` with `sd^2 = (G - 1) / G sum_g (left_out_g - mean)^2`, clipped to what is possible. The jackknife's variance
    is too large in expectation, never too small (Efron & Stein 1981), so the interval errs on the safe side.
    Without groups to leave out it is the estimate alone.
    """
    variance = (len(left_out) - 1) * left_out.var() if len(left_out) > 1 else 0.0
    reach = 1.959964 * float(np.sqrt(variance))
    return Interval(estimate, max(0.0, estimate - reach), min(1.0, estimate + reach), num_users)
