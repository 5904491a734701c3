"""The bootstrap over people: resamples that the measures of one report card share, so that their differences have intervals, too."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000
LEVEL = 0.95


class BootstrapEstimate(NamedTuple):
    """An estimate, and the limits of its 95 % percentile interval over people; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def entries(self, name: str) -> dict[str, float]:
        """The three numbers as entries of a report."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


class PeopleBootstrap:
    """How often each of P people is in each of `resamples` resamples: `weights` `[B, P]` (Efron and Tibshirani 1993, chapter 13).

    Intervals are by percentiles: the measures of a card are bounded, and symmetric enough at the 30 people from which a card says much.
    """

    def __init__(self, num_people: int, seed: int = 0, resamples: int = RESAMPLES) -> None:
        generator = np.random.default_rng(seed)
        share = np.full(num_people, 1.0 / num_people)
        self.weights: np.ndarray = generator.multinomial(num_people, share, size=resamples).astype(np.float64)
        self.everybody: np.ndarray = np.ones((1, num_people))

    def interval(self, value: float, resampled: np.ndarray) -> BootstrapEstimate:
        """The estimate with the interval of its resampled values `[B]`; those that are not defined are left out."""
        defined = resampled[np.isfinite(resampled)]
        if len(defined) < len(resampled) / 2:
            return BootstrapEstimate(value, float("nan"), float("nan"))
        low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return BootstrapEstimate(value, float(low), float(high))

    def ratio(self, numerators: np.ndarray, denominators: np.ndarray) -> BootstrapEstimate:
        """sum(numerators) / sum(denominators) over people, `[P]` each."""

        def of(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ numerators) / (weights @ denominators))

        return self.interval(float(of(self.everybody)[0]), of(self.weights))
