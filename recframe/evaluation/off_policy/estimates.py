"""Every single-item estimate of one policy from one log, and the one that the data choose."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from recframe.evaluation.off_policy import single_items
from recframe.evaluation.off_policy.choice import least_error_of, slope_of
from recframe.evaluation.off_policy.contributions import Contributions, intervals
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.evaluation.statistics import Interval

UNBIASED = "dr"
"""The estimator whose interval the chosen one's value gets: the others' intervals do not hold their bias."""


class Estimates(NamedTuple):
    """Contributions by the estimator's name, the name of the chosen one, and switch-DR's threshold."""

    found: dict[str, Contributions]
    chosen: str
    threshold: float

    def intervals(self, people: np.ndarray, seed: int) -> dict[str, Interval]:
        """`value`, by the chosen estimator, and `value/ESTIMATOR`, with 95 % intervals over people.

        The interval of `value` is doubly robust estimation's, extended to the value where it does not reach it.
        """
        every = {name: intervals(one, people, seed)[0] for name, one in self.found.items()}
        value, around = every[self.chosen].mean, every[UNBIASED]
        interval = around._replace(mean=value, low=min(around.low, value), high=max(around.high, value))
        return {"value": interval} | {f"value/{name}": one for name, one in every.items()}


def estimates_of(log: SingleItemLog, people: np.ndarray, choose: Literal["least_error", "slope"] = "least_error") -> Estimates:
    """All estimators that a log with a reward model allows.

    IPS's clip has the least estimated error (`least_error_of`). `choose` is the rule for switch-DR's threshold, of which DR and the direct
    method are the ends: that choice is the chosen estimator.
    """
    thresholds = threshold_candidates(log.weights)
    clipped = [single_items.inverse_propensity(log, clip) for clip in thresholds[:-1]]
    switched = [single_items.switch_doubly_robust(log, threshold) for threshold in thresholds]
    rule = {"least_error": least_error_of, "slope": slope_of}[choose]
    place, last = int(rule(switched, people)), len(thresholds) - 1
    found = {
        "dm": single_items.direct_method(log),
        "ips": single_items.inverse_propensity(log),
        "clipped_ips": clipped[int(least_error_of(clipped, people))],
        "snips": single_items.self_normalised(log),
        "dr": single_items.doubly_robust(log),
        "sndr": single_items.self_normalised_doubly_robust(log),
        # at its ends it has other names
        "switch_dr": switched[min(max(place, 1), last - 1)],
    }
    return Estimates(found, {0: "dr", last: "dm"}.get(place, "switch_dr"), float(thresholds[min(max(place, 1), last - 1)]))


def threshold_candidates(weights: np.ndarray, count: int = 12) -> np.ndarray:
    """Thresholds for weights `[n]`, falling: infinity, a geometric grid from the largest weight to 1, and 0."""
    largest = float(weights.max())
    grid = np.geomspace(largest, 1.0, count)[1:] if largest > 1 else np.array([1.0])
    return np.concatenate([[np.inf], grid, [0.0]])
