"""Confidence intervals of means over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev


def t_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float, float]:
    """Mean, low and high of Student's t-interval for the mean of n >= 2 independent values.

    `mean ± t((1 + level) / 2, n - 1) * s / sqrt(n)` with the sample standard deviation s. The values are assumed to be approximately
    normal, as means over many users are.

    Raises
    ------
    ValueError: if there are fewer than two values, because their spread is unknown.
    """
    if len(values) < 2:
        raise ValueError(f"a t-interval needs two values or more, not {len(values)}")
    from scipy.special import stdtrit

    mean = fmean(values)
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half
