"""Intervals of the interquartile mean over seeds, by a bootstrap over seeds and over people.

Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", resample runs. Here a run is itself a mean
over people, who are resampled as well: a person is in a resample equally often in all runs that met them (Davison & Hinkley 1997,
"Bootstrap methods and their application", section 3.8). Imports no torch.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable

import numpy as np

from recframe.evaluation.seed_intervals import SeedsInterval
from recframe.evaluation.statistics import CHUNK_ELEMENTS, LEVEL, bootstrap_weights

RESAMPLES = 1_000


def interquartile_means(values: np.ndarray) -> np.ndarray:
    """The interquartile mean of each row of `[..., S]`: the lowest and the highest quarter of the S runs, rounded down, are left out."""
    cut = values.shape[-1] // 4
    means: np.ndarray = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1)
    return means


def hierarchical_intervals(sums: np.ndarray, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> list[SeedsInterval]:
    """The interquartile mean over seeds of each of m metrics, and its percentile interval.

    With few seeds, percentile intervals are too short: with S seeds a resample has at most S different ones.

    Parameters
    ----------
    sums: `[S, P, m, 2]`, the sums of each of P different people of the numerators and the denominators of each metric in each seed's run,
        zeros where a person was not met. With S = 1 only people are resampled.
    """
    seeds, people, metrics, _ = sums.shape
    totals = sums.sum(axis=1)
    flat = sums.transpose(1, 0, 2, 3).reshape(people, -1)
    # a generator of its own: from one seed, seeds and people would be drawn by the same numbers
    chosen = np.random.default_rng([seed, 1]).integers(seeds, size=(resamples, seeds))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = np.concatenate([weights @ flat for weights in _weights(people, resamples, seed)])
        parts = resampled.reshape(resamples, seeds, metrics, 2)
        ratios = np.take_along_axis(parts[..., 0] / parts[..., 1], chosen[:, :, None], axis=1)
        estimates = interquartile_means((totals[..., 0] / totals[..., 1]).T)
        means = interquartile_means(ratios.transpose(0, 2, 1))
    with warnings.catch_warnings():
        # a resample may have nobody whom a run met, and a metric may be undefined for everybody
        warnings.filterwarnings("ignore", "All-NaN slice")
        low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [SeedsInterval(*map(float, one)) for one in zip(estimates, low, high, strict=True)]


def _weights(people: int, resamples: int, seed: int) -> Iterable[np.ndarray]:
    """`bootstrap_weights`, kept for the next call where they are small: a report asks for the same again and again."""
    return _small_weights(people, resamples, seed) if people * resamples <= CHUNK_ELEMENTS else bootstrap_weights(people, resamples, seed)


@functools.lru_cache(maxsize=1)
def _small_weights(people: int, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    return tuple(bootstrap_weights(people, resamples, seed))


def bootstrapped_seeds(values: np.ndarray, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> SeedsInterval:
    """The same of the results `[S]` of runs whose people are not known: only seeds are resampled. NaN limits with one seed."""
    estimate = float(interquartile_means(values))
    if len(values) < 2:
        return SeedsInterval(estimate, float("nan"), float("nan"))
    chosen = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.quantile(interquartile_means(values[chosen]), [(1 - level) / 2, (1 + level) / 2])
    return SeedsInterval(estimate, float(low), float(high))
