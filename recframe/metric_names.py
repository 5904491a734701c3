"""Names of the metrics that are reported of every policy: their order, their headings, and what each needs. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

CLICK_SIGNAL = "click"
"""The response signal that clicks are counted from."""

# what a run must have for a metric to be measured
CLICKS = "clicks"
ITEMS = "items"
TEXTS = "texts"
QUESTIONS = "questions"

Better = Literal["max", "min"]
"""Whether larger or smaller values of a metric are better, in the words of `trainer.monitor_mode`."""


@dataclass(frozen=True)
class MetricName:
    """A metric: its name in configs and results, its heading in tables, what it needs of `CLICKS`, `ITEMS`, `TEXTS` and `QUESTIONS`, and
    which of its values are better: None if none are.
    """

    name: str
    heading: str
    needs: frozenset[str] = frozenset()
    better: Better | None = "max"


SESSION_METRICS = (
    MetricName("return", "return"),
    MetricName("length", "length"),
    MetricName("click_rate", "click\nrate", frozenset({CLICKS})),
    MetricName("asked", "asked", frozenset({QUESTIONS}), better=None),
)
"""Of simulated sessions."""

ACCURACY_METRICS = (
    MetricName("hit_rate", "hit\nrate"),
    MetricName("ndcg", "NDCG"),
    MetricName("precision", "precision"),
    MetricName("recall", "recall"),
    MetricName("f1", "F1"),
    MetricName("mrr", "MRR"),
    MetricName("map", "MAP"),
)
"""Of rankings of the catalogue, each for the first k places: `ndcg@10`."""

ITEM_METRICS = (
    MetricName("coverage", "coverage", frozenset({ITEMS})),
    MetricName("diversity", "diversity", frozenset({ITEMS, TEXTS})),
    MetricName("novelty", "novelty", frozenset({ITEMS})),
    MetricName("gini", "Gini", frozenset({ITEMS}), better="min"),
)
"""Of the items that are recommended, in sessions and in rankings (`coverage@10`)."""

METRICS = SESSION_METRICS + ITEM_METRICS
"""Of policies in a simulator."""

METRIC_NAMES = tuple(metric.name for metric in METRICS)

RATES = frozenset({"click_rate", "asked", "coverage", "gini", *(metric.name for metric in ACCURACY_METRICS)})
"""Metrics between 0 and 1, which bound their intervals."""

PROGRESS_METRICS = ("return", "length", "click_rate", "asked", "hit_rate", "ndcg", "coverage")
"""Shown in the log after each evaluation in training."""

SHOWN_K = 10
"""The k at which metrics of rankings are shown where there is room for one; see `shown_k`."""

COLD_METRICS = ("return", "length", "click_rate", "hit_rate", "ndcg")
"""Reported over sweeps beside those of the main table: for items never shown in training, and for new items and users of a log."""

_ORDER = {metric.name: place for place, metric in enumerate(SESSION_METRICS + ACCURACY_METRICS + ITEM_METRICS)}
_HEADINGS = {metric.name: metric.heading for metric in SESSION_METRICS + ACCURACY_METRICS + ITEM_METRICS}


_BETTER = {metric.name: metric.better for metric in SESSION_METRICS + ACCURACY_METRICS + ITEM_METRICS}
REWARD = "reward/"


def reward_metric(term: str) -> str:
    """The name of the metric that sums one reward term over a session."""
    return f"{REWARD}{term}"


def metric_at(name: str, k: int) -> str:
    """The name of a metric of the first k places: `ndcg@10`."""
    return f"{name}@{k}"


def base_name(name: str) -> str:
    """The metric without its number of places: `ndcg` of `ndcg@10`, `return` of `return`."""
    base, _, k = name.rpartition("@")
    return base if base and k.isdecimal() else name


def places_of(name: str) -> int | None:
    """The number of places of a metric: 10 of `ndcg@10`; None if it has none."""
    return int(name[len(base_name(name)) + 1 :]) if base_name(name) != name else None


def is_rate(name: str) -> bool:
    """Whether a metric, possibly with the name of its table in front (`cold/click_rate`), is between 0 and 1."""
    return not name.startswith(REWARD) and base_name(name.rpartition("/")[2]) in RATES


def better_direction(name: str) -> Better | None:
    """Which values of a metric are better, possibly with the name of its table in front (`cold/click_rate`); None: neither, or not known.

    A reward term, `reward/NAME`, is measured as it counts in the return.
    """
    return "max" if name.startswith(REWARD) else _BETTER.get(base_name(name.rpartition("/")[2]))


def has_heading(name: str) -> bool:
    """Whether a metric has a column in tables of results; others, such as `reward/NAME`, are in result.json only."""
    return base_name(name) in _HEADINGS


def heading(name: str) -> str:
    """The heading of a metric's column: `NDCG\\n@10` of `ndcg@10`."""
    words, places = _HEADINGS[base_name(name)], places_of(name)
    return words if places is None else words.replace("\n", " ") + f"\n@{places}"


def measured_metrics(available: Collection[str], reward_terms: Iterable[str]) -> list[str]:
    """The metrics of a simulation in which `available` of `CLICKS`, `ITEMS`, `TEXTS` and `QUESTIONS` exist, in order."""
    return [metric.name for metric in METRICS if metric.needs <= set(available)] + [reward_metric(term) for term in reward_terms]


def progress_metrics(names: Collection[str]) -> list[str]:
    """Those of `names` that are shown in the log after each evaluation in training."""
    shown = shown_k(names)
    return [name for name in in_order(names) if base_name(name) in PROGRESS_METRICS and places_of(name) in (shown, None)]


def shown_k(names: Iterable[str], num_items: int | None = None) -> int | None:
    """The k at which metrics of rankings are shown, of those in `names`; None if there are none.

    It is `SHOWN_K`, or else the largest. A list of all `num_items` items (None: not known) says nothing, so longer ones come last.
    """
    ks = {k for name in names if (k := places_of(name)) is not None}
    if not ks:
        return None
    short = {k for k in ks if num_items is None or k < num_items} or {min(ks)}
    return SHOWN_K if SHOWN_K in short else max(short)


def default_monitor(ks: Iterable[int]) -> str:
    """The metric of rankings that selects weights where none is named: NDCG at 10, or else at the largest of these k."""
    ks = tuple(ks)
    return metric_at("ndcg", SHOWN_K if SHOWN_K in ks else max(ks))


def ranking_metrics(ks: Iterable[int], available: Collection[str]) -> list[str]:
    """The metrics of a ranking at these k, where `available` of `TEXTS` exist, in order."""
    metrics = ACCURACY_METRICS + tuple(metric for metric in ITEM_METRICS if metric.needs <= {ITEMS, *available})
    return in_order([metric_at(metric.name, k) for metric in metrics for k in ks])


def place_in_tables(name: str) -> tuple[int, int]:
    """A key that sorts metrics as in tables, by k where they differ in it; those without a heading, such as `reward/NAME`, come last."""
    return _ORDER.get(base_name(name), len(_ORDER)), places_of(name) or 0


def in_order(names: Collection[str]) -> list[str]:
    """`names` in the order of tables; those without a heading keep their order."""
    return sorted(names, key=place_in_tables)
