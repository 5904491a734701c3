"""Confidence intervals: bootstrap intervals of means and ratios over users, jackknife intervals of properties of a set of users.

Users are the unit that is resampled or left out: the turns of one user depend on each other, users are independent
(Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 8 and 13).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000
LEVEL = 0.95

# number of float64 values held at once while resampling (32 MiB)
CHUNK_ELEMENTS = 4_000_000


class Interval(NamedTuple):
    """An estimate and its confidence interval, from `n` users."""

    mean: float
    low: float
    high: float
    n: int


def bootstrap_weights(num_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each user is in each resample: float64 arrays `[r, N]` whose rows sum to N, `resamples` rows in total.

    They are generated in chunks, so that `r * N` stays bounded.
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
    numerators, denominators: `[N, m]`. The denominators of a mean over users are ones. A user for whom a statistic is
        undefined has zeros in both. A rate such as clicks per shown item is a ratio of sums, not a mean of the users' ratios.

    Returns
    -------
    One `Interval` per column. `n` is the number of users with a denominator above zero; if there are none, the other fields are NaN.
    """
    numerators, denominators = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimates = numerators.sum(axis=0) / denominators.sum(axis=0)
        resampled = np.concatenate(
            [(weights @ numerators) / (weights @ denominators) for weights in bootstrap_weights(len(numerators), resamples, seed)]
        )
    with warnings.catch_warnings():
        # a statistic that is undefined for all users has only NaN resamples, and NaN is the right result
        warnings.filterwarnings("ignore", "All-NaN slice")
        lows, highs = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    counts = (denominators > 0).sum(axis=0)
    return [Interval(float(e), float(lo), float(hi), int(n)) for e, lo, hi, n in zip(estimates, lows, highs, counts, strict=True)]


def jackknife_interval(estimate: float, left_out: np.ndarray, num_users: int) -> Interval:
    """A 95 % interval for a statistic in `[0, 1]` of a *set* of users, from its values `[G]` with each of G groups of users left out.

    `estimate +- 1.96 sd` with `sd^2 = (G - 1) / G sum_g (left_out_g - mean)^2`, clipped to `[0, 1]`. In expectation the jackknife
    variance is too large, never too small (Efron & Stein 1981), so the interval is conservative. With fewer than two groups it is only
    the estimate.
    """
    variance = (len(left_out) - 1) * left_out.var() if len(left_out) > 1 else 0.0
    reach = 1.959964 * float(np.sqrt(variance))
    return Interval(estimate, max(0.0, estimate - reach), min(1.0, estimate + reach), num_users)
