"""An estimator chosen by the data among candidates of growing bias and falling variance: by its estimated error, or by SLOPE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions
from recframe.evaluation.statistics import LEVEL


def least_error_of(candidates: Sequence[Contributions], people: np.ndarray | None = None) -> np.ndarray:
    """The number of the candidate with the least estimated mean squared error, `[...]` int64: `min_i se_i^2 + (theta_i - theta_0)^2`.

    The first candidate must be unbiased: what another differs from it is an estimate of its bias. Wang, Agarwal & Dudik (2017) choose
    switch-DR's threshold so, with a bound in place of the estimate; the estimate is that of Thomas & Brunskill (2016) without its
    interval. The choice can be worse than the best candidate where the first one varies much, but not much worse than the first one.
    """
    values = np.stack([candidate.value for candidate in candidates], axis=-1)
    errors = np.stack([standard_error(candidate, people) for candidate in candidates], axis=-1)
    chosen: np.ndarray = (errors**2 + (values - values[..., :1]) ** 2).argmin(axis=-1)
    return chosen


def slope(values: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """SLOPE's choice (Su, Srinath & Krishnamurthy, 2020), `[...]` int64.

    It is the last i such that the intervals `theta_j +- 2 cnf_j` of all j <= i have a point in common.

    Candidates are ordered by their bias, least first; while their intervals have a point in common, no bias is seen that the smaller
    deviation would not be worth. The error is within a constant factor of the best candidate's (theorem 3 of the paper) if the bias grows
    and the deviation falls along the order. The factor is not small: a bias of up to four deviations of the first candidate may be
    accepted (docs/results/off_policy.md).

    values: theta, `[..., C]`.
    deviations: cnf, `[..., C]`, above which the estimate deviates from its expectation with a small probability. Where one is larger than
        one before it, the smallest so far stands for it, as the order demands.
    """
    deviations = np.minimum.accumulate(np.where(np.isnan(deviations), np.inf, deviations), axis=-1)
    lows = np.maximum.accumulate(values - 2 * deviations, axis=-1)
    highs = np.minimum.accumulate(values + 2 * deviations, axis=-1)
    # once empty, an intersection stays empty
    chosen: np.ndarray = (lows <= highs).sum(axis=-1) - 1
    return chosen


def slope_of(candidates: Sequence[Contributions], people: np.ndarray | None = None, level: float = LEVEL) -> np.ndarray:
    """`slope` of candidates, least biased first. Their deviations are normal ones: a quantile times the standard error over people."""
    from scipy.special import ndtri

    values = np.stack([candidate.value for candidate in candidates], axis=-1)
    errors = np.stack([standard_error(candidate, people) for candidate in candidates], axis=-1)
    return slope(values, ndtri((1 + level) / 2) * errors)


def standard_error(contributions: Contributions, people: np.ndarray | None = None) -> np.ndarray:
    """The linearised standard error of an estimate over people, `[...]`."""
    residuals = contributions.linear - contributions.value[..., None]
    rows = residuals.shape[-1]
    if people is not None:
        numbers = np.unique(people, return_inverse=True)[1]
        sums = np.zeros((*residuals.shape[:-1], int(numbers.max()) + 1))
        np.add.at(np.moveaxis(sums, -1, 0), numbers, np.moveaxis(residuals, -1, 0))
        residuals = sums
    error: np.ndarray = np.sqrt((residuals**2).sum(axis=-1)) / rows
    return error
