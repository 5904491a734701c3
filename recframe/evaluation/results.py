"""The result that every kind of evaluation gives: each policy's metrics with confidence intervals. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recframe.metric_names import in_order

if TYPE_CHECKING:
    from recframe.evaluation.people import People, PersonSums
    from recframe.evaluation.statistics import Interval

Metrics = dict[str, dict[str, float | int]]
"""`{metric: {"mean", "low", "high", "n"}}`, one policy's metrics as in result.json; n is a number of people."""

Results = Mapping[str, Metrics]
"""`{policy: Metrics}`, the `policies` of result.json."""


@dataclass(frozen=True)
class Evaluation:
    """The metrics of policies that were evaluated on the same people.

    policies: `{policy: {metric: {"mean", "low", "high", "n"}}}`.   people: those whom the result is about.
    sums: the sums of each person behind the metrics, by policy.
    groups: the same for parts of what was evaluated, by name; their people are those in the part.
    """

    policies: dict[str, Metrics]
    people: People
    sums: dict[str, PersonSums]
    groups: Mapping[str, Evaluation] = field(default_factory=dict)


def metrics_of(intervals: Mapping[str, Interval]) -> Metrics:
    """One policy's metrics from their intervals, in the order of `recframe.metric_names`."""
    return {name: dict(intervals[name]._asdict()) for name in in_order(intervals)}
