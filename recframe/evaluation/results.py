"""The result that every kind of evaluation gives: each policy's metrics with confidence intervals. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recframe.metric_names import in_order

if TYPE_CHECKING:
    from recframe.evaluation.statistics import Interval

Metrics = dict[str, dict[str, float | int]]
"""`{metric: {"mean", "low", "high", "n"}}`, one policy's metrics as in result.json; n is a number of people."""

Results = Mapping[str, Metrics]
"""`{policy: Metrics}`, the `policies` of result.json."""


def metrics_of(intervals: Mapping[str, Interval]) -> Metrics:
    """One policy's metrics from their intervals, in the order of `recframe.metric_names`."""
    return {name: dict(intervals[name]._asdict()) for name in in_order(intervals)}
