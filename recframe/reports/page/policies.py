"""The policies that a page compares: each trained one, and each reference policy as often as it has different results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from recframe.evaluation.hierarchical_bootstrap import bootstrapped_seeds, hierarchical_intervals
from recframe.evaluation.seed_intervals import SeedsInterval
from recframe.evaluation.statistics import LARGE_SAMPLE
from recframe.reports.frame import columns_of_interval
from recframe.reports.page.names import TRAINED, policy_name, setting_name
from recframe.reports.seeds import TABLES, PeopleOfRuns, table_of

RESAMPLED_AT_MOST = LARGE_SAMPLE // 5
"""People from which on their part in an interval over seeds is too small to be worth the time."""


@dataclass
class ComparedPolicy:
    """A policy under some settings.

    name: what the page calls it.   means: `{metric: {folder: mean}}` over its runs with different seeds.   spread: the interval of one
    run, by metric.   intervals: the interquartile mean over seeds and its interval, by metric.
    """

    name: str
    policy: str
    settings: dict[str, str | None]
    seeds: dict[str, int]
    means: dict[str, dict[str, float]]
    spread: dict[str, tuple[float, float]]
    intervals: dict[str, SeedsInterval] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether it was trained, and is not a reference."""
        return self.policy == TRAINED

    def center(self, metric: str) -> float:
        """The interquartile mean of a metric; NaN where it was not measured."""
        interval = self.intervals.get(metric)
        return math.nan if interval is None else interval.mean


def policies_of(
    runs: pl.DataFrame,
    settings: Sequence[str],
    metrics: Sequence[str],
    short: Mapping[str, str],
    groups: set[str],
    people: PeopleOfRuns,
) -> list[ComparedPolicy]:
    """The policies of a frame that has one run a seed (`last_of_each_seed`), with their intervals."""
    found: dict[object, ComparedPolicy] = {}
    for key, group in runs.group_by([*settings, "policy"], maintain_order=True):
        chosen, name = dict(zip(settings, key, strict=False)), str(key[-1])
        means = {metric: _column(group, metric) for metric in metrics}
        policy = ComparedPolicy(
            policy_name(name, setting_name(chosen, short, groups)),
            name,
            chosen,
            dict(group.select("folder", "seed").iter_rows()),
            {metric: values for metric, values in means.items() if values},
            {metric: ends for metric in metrics if (ends := _spread(group, metric)) is not None},
        )
        # a reference that does not depend on the settings is one policy, however often it was evaluated
        alike = name if name == TRAINED else (name, frozenset((metric, round(v, 12)) for metric in means for v in means[metric].values()))
        found.setdefault((key, alike) if name == TRAINED else alike, policy)
    kept = list(found.values())
    for name in {policy.policy for policy in kept if not policy.is_trained}:
        same = [policy for policy in kept if policy.policy == name]
        if len(same) == 1:
            same[0].name = name
    trained = {policy.name for policy in kept if policy.is_trained}
    for policy in kept:
        # an agent may be called like a reference: charts tell policies apart by their names
        if not policy.is_trained and policy.name in trained:
            policy.name += " (reference)"
    for policy in kept:
        policy.intervals = _intervals(policy, metrics, people)
    return kept


def _column(group: pl.DataFrame, metric: str) -> dict[str, float]:
    return {folder: value for folder, value in group.select("folder", metric).iter_rows() if value is not None and math.isfinite(value)}


def _spread(group: pl.DataFrame, metric: str) -> tuple[float, float] | None:
    rows = [row for row in group.select(columns_of_interval(metric)).iter_rows() if row[0] is not None]
    return None if not rows else tuple(math.nan if end is None else end for end in rows[0][1:])  # type: ignore[return-value]


def _intervals(policy: ComparedPolicy, metrics: Sequence[str], people: PeopleOfRuns) -> dict[str, SeedsInterval]:
    """Of each metric: over seeds and people where each person's sums are known, over seeds otherwise, of one run its own."""
    intervals: dict[str, SeedsInterval] = {}
    for metric, values in policy.means.items():
        results = np.array(list(values.values()))
        if len(results) == 1 or np.ptp(results) == 0.0:
            # a policy without randomness has no spread over seeds, and is not certain all the same
            intervals[metric] = SeedsInterval(float(results[0]), *policy.spread.get(metric, (math.nan, math.nan)))
    for table in TABLES:
        own = [metric for metric in metrics if metric in policy.means and metric not in intervals and table_of(metric) == table]
        own = [metric for metric in own if len(policy.means[metric]) == len(policy.seeds)]
        stacked = people.stacked([(folder, policy.policy) for folder in policy.seeds], own)
        if stacked is not None and stacked.met.shape[1] <= RESAMPLED_AT_MOST:
            intervals |= dict(zip(stacked.metrics, hierarchical_intervals(stacked.sums), strict=True))
    for metric, values in policy.means.items():
        if metric not in intervals:
            intervals[metric] = bootstrapped_seeds(np.array(list(values.values())))
    return {metric: intervals[metric] for metric in metrics if metric in intervals}
