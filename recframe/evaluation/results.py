"""The result that every kind of evaluation gives: each policy's metrics with confidence intervals. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

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

    def with_policies(self, others: Evaluation | None, after: str) -> Evaluation:
        """This evaluation with the policies of another one, on the same people, after one of its own.

        Raises
        ------
        ValueError: the people are others.
        """
        if others is None:
            return self
        mine, theirs = self.people, others.people
        if not (np.array_equal(mine.ids, theirs.ids) and np.array_equal(mine.of_session, theirs.of_session)):
            raise ValueError("policies that were evaluated on different people do not belong in one table")
        order = [name for own in self.policies for name in ([own, *others.policies] if own == after else [own])]
        policies, sums = {**self.policies, **others.policies}, {**self.sums, **others.sums}
        return replace(self, policies={name: policies[name] for name in order}, sums={name: sums[name] for name in order})


def metrics_of(intervals: Mapping[str, Interval]) -> Metrics:
    """One policy's metrics from their intervals, in the order of `recframe.metric_names`."""
    return {name: dict(intervals[name]._asdict()) for name in in_order(intervals)}
