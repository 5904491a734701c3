"""Of which metrics higher values are better, and of which lower ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from recframe.metric_names import Better, better_direction
from recframe.reports.comparable import objective_of
from recframe.reports.runs import SweepRun

LOWER = "lower is better"
SECONDS = "seconds of the run"
"""What charts call the time of a run, which is compared as metrics are."""


class Directions(NamedTuple):
    """The metrics of which lower values are better, and those of which it is not known; of all others higher values are better.

    Where it is not known, reports treat higher values as better, and say so.
    """

    low: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def sign(self, metric: str) -> float:
        """By what values are multiplied so that higher ones are better."""
        return -1.0 if metric in self.low else 1.0

    def better(self, metric: str) -> Better | None:
        """Which values are better, as `trainer.monitor_mode` says it; None: it is not known."""
        return None if metric in self.unknown else "min" if metric in self.low else "max"

    def named(self, metric: str) -> str:
        """The metric as a title calls it: `gini (lower is better)`."""
        return f"{metric} ({LOWER})" if metric in self.low else metric

    def told(self, metrics: Sequence[str]) -> str:
        """A sentence on those of these metrics of which higher values are not better, or may not be; empty without any."""
        low = [metric for metric in metrics if metric in self.low]
        unknown = [metric for metric in metrics if metric in self.unknown]
        parts = [f"of {', '.join(low)}, {LOWER}"] if low else []
        if unknown:
            parts.append(f"of {', '.join(unknown)} it is not known whether higher or lower is better, and higher counts as better")
        return "; ".join(parts)


def directions_of(metrics: Iterable[str], runs: Sequence[SweepRun]) -> Directions:
    """The directions of metrics: those that recframe declares; of others, such as a plugin's, as the runs that monitor it say."""
    monitored: dict[str, set[str]] = {}
    for run in runs:
        metric, low_is_better = objective_of(run)
        monitored.setdefault(metric, set()).add("min" if low_is_better else "max")
    ways: dict[str, str | None] = {}
    for metric in metrics:
        said = monitored.get(metric, set())
        ways[metric] = better_direction(metric) or (next(iter(said)) if len(said) == 1 else None)
    return Directions(
        frozenset({SECONDS, *(metric for metric, way in ways.items() if way == "min")}),
        frozenset(metric for metric, way in ways.items() if way is None),
    )
