"""Several seeds in one trial: the objective is the mean over them, and settings that cannot become the best are given up after some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy.special import stdtrit


def mean_over_seeds(values: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each objective over the seeds. `values` has a row for each seed."""
    return [math.fsum(column) / len(values) for column in zip(*values, strict=True)]


def is_hopeless(values: Mapping[int, float], best: Mapping[int, float], direction: str, level: float) -> bool:
    """Whether a trial is worse than the best one beyond doubt, after at least two seeds.

    The differences between the two with the same seed are taken as normally distributed: the trial is hopeless if the upper end of the
    one-sided (1 - level) t interval of their mean is below 0. The test is repeated after each seed, so that over all seeds of a trial
    as good as the best one, the probability of giving it up is somewhat larger than `level`.

    Parameters
    ----------
    values, best: the objective by seed.   direction: "max" or "min".   level: such as 0.05.
    """
    sign = 1.0 if direction == "max" else -1.0
    differences = [sign * (value - best[seed]) for seed, value in values.items() if seed in best]
    n = len(differences)
    if n < 2:
        return False
    center = math.fsum(differences) / n
    error = math.sqrt(math.fsum((value - center) ** 2 for value in differences) / (n - 1) / n)
    return center + float(stdtrit(n - 1, 1 - level)) * error < 0
