"""Names of the metrics that are reported of every policy: their order, their headings, and what each needs. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

CLICK_SIGNAL = "click"
"""The response signal that clicks are counted from."""

# what a run must have for a metric to be measured
CLICKS = "clicks"
ITEMS = "items"
TEXTS = "texts"


@dataclass(frozen=True)
class MetricName:
    """A metric: its name in configs and results, its heading in tables, and what it needs of `CLICKS`, `ITEMS` and `TEXTS`."""

    name: str
    heading: str
    needs: frozenset[str] = frozenset()


METRICS = (
    MetricName("return", "return"),
    MetricName("length", "length"),
    MetricName("click_rate", "click\nrate", frozenset({CLICKS})),
    MetricName("coverage", "coverage", frozenset({ITEMS})),
    MetricName("diversity", "diversity", frozenset({ITEMS, TEXTS})),
    MetricName("novelty", "novelty", frozenset({ITEMS})),
    MetricName("gini", "Gini", frozenset({ITEMS})),
)
METRIC_NAMES = tuple(metric.name for metric in METRICS)
HEADINGS = {metric.name: metric.heading for metric in METRICS}

RATES = frozenset({"click_rate", "coverage", "gini"})
"""Metrics between 0 and 1, which bound their intervals."""

PROGRESS_METRICS = ("return", "length", "click_rate", "coverage")
"""Shown in the log after each evaluation in training."""

COLD_METRICS = ("return", "length", "click_rate")
"""Reported over sweeps for items never shown in training."""


def reward_metric(term: str) -> str:
    """The name of the metric that sums one reward term over a session."""
    return f"reward/{term}"


def measured_metrics(available: Collection[str], reward_terms: Iterable[str]) -> list[str]:
    """The metrics of a run in which `available` of `CLICKS`, `ITEMS` and `TEXTS` exist, in order."""
    return [metric.name for metric in METRICS if metric.needs <= set(available)] + [reward_metric(term) for term in reward_terms]


def in_order(names: Collection[str]) -> list[str]:
    """`names` in the order of `METRICS`, followed by those that are not among them, such as `reward/NAME`."""
    return [name for name in METRIC_NAMES if name in names] + [name for name in names if name not in METRIC_NAMES]
