"""Confidence intervals of means over seeds, whose runs were evaluated on the same people, on people of their own, or on some of both.

The result of seed s on person p is `y_sp = mean + a_s + b_p + e_sp`: another seed moves a, other people move b. Student's t over the runs'
means sees a only, and says nothing about b, which seeds share that meet the same people. The interval here adds the distances to the
limits of the intervals for both parts as independent errors add, by the square root of the sum of their squares (MOVER, Zou & Donner 2008,
"Construction of confidence limits about effect measures"). docs/results/coverage.md shows how often it contains the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recframe.evaluation.statistics import LEVEL, RESAMPLES, RatioBootstrap, student_quantile


class SeedsInterval(NamedTuple):
    """A mean over seeds and its confidence interval."""

    mean: float
    low: float
    high: float


def crossed_intervals(
    numerators: np.ndarray, denominators: np.ndarray, shared: bool = True, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[SeedsInterval]:
    """Intervals of the mean over seeds of `sum(numerator) / sum(denominator)`, for each of m statistics.

    The part of the people is the bootstrap-t interval of their sums over seeds. That of the seeds is Student's t with the variance
    `s^2 / S - MS_e / (S P)` (0 if negative), where s^2 is the variance of the runs' results and MS_e the mean square of what neither
    seed nor person explains in a two-way table: the part of the people contains that error already.

    If runs met other people, s^2 contains what these make of it, and Student's t is with `s^2 / S`. Of the part of the people, whose
    variance is V, only the share C / V is added, where C is the mean over pairs of runs of the covariance of their results by the people
    whom both met: nothing, if no two runs met the same person. The limits are at least as far away as those of the people.

    Parameters
    ----------
    numerators, denominators: `[S, P, m]`, S >= 2, the sums of each of P different people in each seed's run, zeros where a person was not
        met.
    shared: whether all runs met the same people.
    """
    return CrossedBootstrap(numerators, denominators, shared, resamples).intervals(level)


class CrossedBootstrap:
    """What `crossed_intervals` needs of its table once, for intervals of any level. With one seed, they are over people only."""

    def __init__(self, numerators: np.ndarray, denominators: np.ndarray, shared: bool = True, resamples: int = RESAMPLES) -> None:
        seeds, people, _ = numerators.shape
        totals = denominators.sum(axis=1)
        self._degrees = seeds - 1
        self._share: np.ndarray | float = 1.0
        with np.errstate(invalid="ignore", divide="ignore"):
            results = numerators.sum(axis=1) / totals
            variance = results.var(axis=0, ddof=1) / seeds if seeds > 1 else np.zeros(results.shape[1])
            if people > 1 and seeds > 1:
                # each person's share in the error of a run's result, times P; its mean over people is 0
                errors = (numerators - results[:, None] * denominators) / (totals[:, None] / people)
                if shared:
                    unexplained = ((errors - errors.mean(axis=0)) ** 2).sum(axis=(0, 1)) / ((seeds - 1) * (people - 1))
                    variance = np.maximum(variance - unexplained / (seeds * people), 0.0)
                else:
                    of_mean, of_runs = (errors.sum(axis=0) ** 2).sum(axis=0), (errors**2).sum(axis=(0, 1))
                    share = (of_mean - of_runs) / of_mean * seeds / (seeds - 1)
                    # of people who do not differ there is no part
                    self._share = np.sqrt(np.clip(np.where(of_mean > 0.0, share, 0.0), 0.0, 1.0))
        self.means = results.mean(axis=0)
        self._variance = variance
        self._people = RatioBootstrap(numerators.sum(axis=0), denominators.sum(axis=0), 0, resamples)

    def intervals(self, level: float = LEVEL) -> list[SeedsInterval]:
        """One interval for each of the m statistics."""
        reach = student_quantile(self._degrees, level) * np.sqrt(self._variance) if self._degrees else self._variance
        found = []
        for mean, half, share, part in zip(
            self.means, reach, np.broadcast_to(self._share, reach.shape), self._people.intervals(level), strict=True
        ):
            below, above = part.mean - part.low, part.high - part.mean
            low, high = (max(float(np.hypot(half, share * side)), side) for side in (below, above))
            found.append(SeedsInterval(float(mean), float(mean) - low, float(mean) + high))
        return found


def mover_interval(values: Sequence[float], lows: Sequence[float], highs: Sequence[float], level: float = LEVEL) -> SeedsInterval:
    """The same from the runs' results and their own intervals over people, where nothing is known about single people.

    The part of the people is the mean of the runs' distances to their limits, as if all seeds had the same error on the same person: the
    interval is too wide rather than too narrow.

    Raises
    ------
    ValueError: if there are fewer than two values, because their spread is unknown.
    """
    if len(values) < 2:
        raise ValueError(f"an interval over seeds needs two values or more, not {len(values)}")
    results = np.asarray(values, dtype=np.float64)
    reach = student_quantile(len(results) - 1, level) * results.std(ddof=1) / np.sqrt(len(results))
    below, above = float((results - np.asarray(lows)).mean()), float((np.asarray(highs) - results).mean())
    return _combined(float(results.mean()), float(reach), below, above)


def _combined(mean: float, of_seeds: float, below: float, above: float) -> SeedsInterval:
    return SeedsInterval(mean, mean - float(np.hypot(of_seeds, below)), mean + float(np.hypot(of_seeds, above)))
