"""Distributions in a few numbers: quantiles, histograms, the share of the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

LEVELS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of numbers at `LEVELS`, and their mean. They are values that occur: nothing is interpolated."""

    values: tuple[float, ...]
    mean: float

    @classmethod
    def of(cls, numbers: pl.Series) -> Quantiles:
        """Those of a series with at least one number and without nulls."""
        found = np.quantile(numbers.to_numpy(), LEVELS, method="inverted_cdf")
        return cls(tuple(float(value) for value in found), float(numbers.mean() or 0.0))  # type: ignore[arg-type]  # a series of numbers


@dataclass(frozen=True)
class Histogram:
    """Counts of numbers in bins. edges: one more than counts; the last bin has both of its edges.   log: edges in geometric progression."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    log: bool = False

    @classmethod
    def of(cls, numbers: pl.Series, bins: int = 40) -> Histogram:
        """Bins of equal width."""
        counts, edges = np.histogram(numbers.to_numpy(), bins=bins)
        return cls(tuple(edges.tolist()), tuple(counts.tolist()))

    @classmethod
    def of_counts(cls, numbers: pl.Series) -> Histogram:
        """Bins of counts of at least 1, each twice as wide as the one before: 1, 2 to 3, 4 to 7, ..."""
        last = int(np.log2(numbers.to_numpy().max()))
        edges = 2.0 ** np.arange(last + 2)
        counts, _ = np.histogram(numbers.to_numpy(), bins=edges)
        return cls(tuple(edges.tolist()), tuple(counts.tolist()), log=True)


def gini_index(counts: pl.Series) -> float:
    """The Gini coefficient of counts: 0 if all are equal, near 1 if one has all (Gini, 1912)."""
    ordered = np.sort(counts.to_numpy()).astype(np.float64)
    total = ordered.sum()
    if total == 0:
        return 0.0
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * (ranks * ordered).sum() / total - len(ordered) - 1) / len(ordered))


def concentration(counts: pl.Series, points: int = 100) -> tuple[tuple[float, float], ...]:
    """The Lorenz curve from the largest down: (share of the counts, share of the total that these have), from (0, 0) to (1, 1)."""
    ordered = np.sort(counts.to_numpy())[::-1].astype(np.float64)
    sums = np.concatenate([[0.0], ordered.cumsum()])
    places = np.unique(np.linspace(0, len(ordered), points + 1).round().astype(int))
    total = sums[-1] or 1.0
    return tuple((float(place / len(ordered)), float(sums[place] / total)) for place in places)
