"""Comparisons of two policies, or of many with one: paired differences, tests, probability of improvement. Imports no torch.

Where there are several seeds, they are the unit: a policy is a rule of learning, and each seed is one outcome of it (Agarwal et al., 2021,
"Deep reinforcement learning at the edge of the statistical precipice").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from recframe.evaluation.seed_intervals import CrossedBootstrap
from recframe.evaluation.statistics import LEVEL

RESAMPLES = 4_000
# seeds up to which all patterns of signs are tried
EXACT_SEEDS = 16


class Comparison(NamedTuple):
    """How much better one policy is than another.

    difference, low, high: the mean paired difference and its 95 % interval, over seeds and people, or over people if there is one seed.
    p: the two-sided p-value of the same interval: 1 minus the level at which it just excludes zero.
    p_seeds: that of the exact sign-flip test over seeds, at least 2 / 2^seeds; NaN if no seed differs from another.
    improvement: the probability that a run of the first is better than one of the second on the same people; NaN likewise. Which values
        are better, `compare` is told.
    """

    difference: float
    low: float
    high: float
    p: float
    p_seeds: float
    improvement: float


def compare(
    ours: np.ndarray,
    theirs: np.ndarray,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    met: np.ndarray | None = None,
    low_is_better: bool = False,
) -> Comparison:
    """The comparison of two policies whose runs with the same seed were evaluated on the same people.

    `ours` `[S, P, 2]` and `theirs` `[S', P, 2]` are each person's sums of the numerators and the denominators of a metric in each seed's
    run. Run s of one is compared with run s of the other. S' = 1: the other has no randomness, and its run is compared with each.

    met: `[S, P]` bool, of the P different people those whom each pair of runs met; None: everybody in all.
    low_is_better: whether lower values are better, for `Comparison.improvement`. The difference is ours minus theirs in any case.

    Raises
    ------
    ValueError: the numbers of people or of seeds do not fit.
    """
    if ours.shape[1:] != theirs.shape[1:] or len(theirs) not in (1, len(ours)):
        raise ValueError(f"paired comparisons need the same people and seeds, not {ours.shape[:2]} and {theirs.shape[:2]} (seeds, people)")
    numerators, denominators = paired_sums(ours, np.broadcast_to(theirs, ours.shape), met)
    shared = met is None or bool(met.all())
    table = CrossedBootstrap(numerators[:, :, None], denominators[:, :, None], shared, resamples)

    def limits(at: float) -> tuple[float, float]:
        (interval,) = table.intervals(at)
        return interval.low, interval.high

    low, high = limits(level)
    one, other = results(ours), results(theirs)
    # runs on other people are no contest
    fair = None if met is None or len(theirs) == 1 else (met[:, None] == met).all(axis=-1)
    sign = -1.0 if low_is_better else 1.0
    # without randomness, repetitions are no evidence
    several = np.ptp(one) > 0 or np.ptp(other) > 0
    return Comparison(
        difference=float((one - other).mean()),
        low=low,
        high=high,
        p=inverted_p_value(limits, 2.0 / resamples),
        p_seeds=sign_flip_test(one - other) if several else float("nan"),
        improvement=probability_of_improvement(sign * one, sign * other, fair) if several else float("nan"),
    )


def results(sums: np.ndarray) -> np.ndarray:
    """The metric of each run, `[S]`, from the sums `[S, P, 2]`."""
    totals = sums.sum(axis=1)
    ratios: np.ndarray = totals[:, 0] / totals[:, 1]
    return ratios


def paired_sums(ours: np.ndarray, theirs: np.ndarray, met: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators `[S, P]` of the difference of two ratios of sums `[S, P, 2]`, of whom `met` were met.

    On the same queries the denominators are equal, and the difference is itself such a ratio. If they are not, as in sessions of
    different lengths, a person's numerator is the part in the difference of the linearised ratios.
    """
    if np.array_equal(ours[..., 1], theirs[..., 1]):
        return ours[..., 0] - theirs[..., 0], ours[..., 1]
    present = np.ones(ours.shape[:2]) if met is None else met.astype(np.float64)
    people = present.sum(axis=1, keepdims=True)

    def linearised(sums: np.ndarray) -> np.ndarray:
        ratio, total = results(sums)[:, None], sums[..., 1].sum(axis=1, keepdims=True)
        return np.asarray(ratio * present + (sums[..., 0] - ratio * sums[..., 1]) / (total / people))

    return linearised(ours) - linearised(theirs), present


def inverted_p_value(limits: Callable[[float], tuple[float, float]], least: float) -> float:
    """The p-value of no difference from intervals: the smallest 1 - level, at least `least`, whose interval excludes zero.

    `limits` gives the interval of a level, and wider ones for higher levels. NaN if the intervals are unknown.
    """

    def excludes_zero(p: float) -> bool:
        low, high = limits(1.0 - p)
        return low > 0.0 or high < 0.0

    if np.isnan(limits(0.5)).any():
        return float("nan")
    if excludes_zero(least):
        return least
    inside, outside = least, 1.0
    for _ in range(24):
        middle = (inside + outside) / 2.0
        inside, outside = (inside, middle) if excludes_zero(middle) else (middle, outside)
    return outside


def sign_flip_test(differences: np.ndarray, seed: int = 0) -> float:
    """The two-sided p-value of paired differences `[S]` with mean zero: the share of all 2^S patterns of signs that are as extreme.

    Exact if the differences are symmetric about zero (Fisher, 1935, section 21). With more than `EXACT_SEEDS`, random patterns are drawn.
    """
    count = len(differences)
    if count <= EXACT_SEEDS:
        patterns = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    else:
        drawn = np.random.default_rng(seed).integers(0, 2, (2**EXACT_SEEDS - 1, count))
        patterns = np.concatenate([np.ones((1, count), dtype=drawn.dtype), drawn])
    means = np.abs((2 * patterns - 1) @ differences)
    # equal sums may differ in the last digits
    return float(np.mean(means >= abs(differences.sum()) * (1.0 - 1e-12)))


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray, fair: np.ndarray | None = None) -> float:
    """The share of pairs of runs `[S]` and `[S']` in which the first is higher; ties count half (Agarwal et al., 2021, section 4.3).

    fair: `[S, S']` bool, the pairs that count, since both runs met the same people; None: all. NaN if none counts.
    """
    pairs = ours[:, None] - theirs[None, :]
    pairs = pairs if fair is None else pairs[fair]
    return float(np.mean((pairs > 0) + 0.5 * (pairs == 0))) if pairs.size else float("nan")


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, so that all true hypotheses are kept with the probability of one test (Holm, 1979).

    The i-th smallest of m is multiplied by m - i + 1, and none is smaller than one before it. NaN stays NaN and does not count.
    """
    values = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)), 1.0)
    return [float(value) for value in adjusted]
