"""What each row of a log contributes to an estimate, from which its value and its interval over people follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recframe.evaluation.statistics import LEVEL, RESAMPLES, Interval, bootstrap_weights, ratio_intervals, sums_by_person


class Contributions(NamedTuple):
    """An estimate `sum(numerators) / sum(denominators)` of n rows: decisions, slates or sessions.

    numerators, denominators: `[..., n]` float64.
    weights: `[..., n]`, the importance weight of each row, or None: the estimator has none.
    """

    numerators: np.ndarray
    denominators: np.ndarray
    weights: np.ndarray | None = None

    @property
    def value(self) -> np.ndarray:
        """The estimate, `[...]`."""
        value: np.ndarray = self.numerators.sum(axis=-1) / self.denominators.sum(axis=-1)
        return value

    @property
    def linear(self) -> np.ndarray:
        """`[..., n]`, with the estimate as their mean and, to first order, its sampling error: influence functions plus the estimate."""
        return linearised(self.numerators, self.denominators)


def mean_of(values: np.ndarray, weights: np.ndarray | None = None) -> Contributions:
    """The mean of `values` `[..., n]` as contributions."""
    return Contributions(values, np.ones_like(values), weights)


def linearised(numerators: np.ndarray, denominators: np.ndarray, axis: int = -1) -> np.ndarray:
    """Values with the ratio of sums r as their mean along `axis`, and its errors: `r + (numerator - r denominator) / mean(denominator)`.

    The delta method (Efron & Tibshirani 1993, section 22.5). Sums of several such ratios have no single ratio; their linearised values
    are added. Where the denominators sum to zero the ratio is undefined, and its values are NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = denominators.mean(axis=axis, keepdims=True)
        ratio = numerators.mean(axis=axis, keepdims=True) / scale
        values: np.ndarray = ratio + (numerators - ratio * denominators) / scale
    return values


def intervals(
    contributions: Contributions, people: np.ndarray | None = None, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """Bootstrap-t intervals over people, one for each repetition along the leading axes (one, if there are none).

    people: `[n]`, whose row it is, any integers; None: every row is of another person.

    The interval holds what was drawn: contexts, actions and rewards. It does not hold the error of a reward model.
    """
    numbers = np.arange(contributions.numerators.shape[-1]) if people is None else np.unique(people, return_inverse=True)[1]
    sides = (contributions.numerators, contributions.denominators)
    numerators, denominators = (sums_by_person(side.reshape(-1, side.shape[-1]).T, numbers) for side in sides)
    return ratio_intervals(numerators, denominators, seed, resamples, level)


def refitted_interval(
    estimate: Callable[[np.ndarray], np.ndarray], num_people: int, seed: int = 0, resamples: int = 200, level: float = LEVEL
) -> Interval:
    """A percentile interval of an estimate that fits something, from fits to resamples of people (Efron & Tibshirani 1993, section 13.3).

    estimate: from how often each person counts, `[r, P]` float64, to the estimates `[r]`.
    """
    value = float(estimate(np.ones((1, num_people)))[0])
    if num_people < 2:
        return Interval(value, np.nan, np.nan, num_people)
    drawn = np.concatenate([estimate(weights) for weights in bootstrap_weights(num_people, resamples, seed)])
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), num_people)
