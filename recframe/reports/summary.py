"""The summary of runs over their seeds: the mean of each metric and its interval, for each setting and policy. Imports no torch."""

from __future__ import annotations

import math

import polars as pl

from recframe.evaluation.seed_intervals import mover_interval
from recframe.metric_names import is_rate
from recframe.reports.frame import columns_of_interval, last_of_each_seed, metrics_of_frame, settings_of_frame
from recframe.reports.seeds import PeopleOfRuns

SEEDS = "seeds"
OVER_SEEDS = "seeds and people"
OVER_PEOPLE = "people"


def summarize(runs: pl.DataFrame, people: PeopleOfRuns | None = None) -> pl.DataFrame:
    """Means over seeds, from the result of `sweep_frame`: one row for each setting, policy and metric, in order of appearance.

    Columns: the settings, policy, metric, mean, low, high, seeds (their number), interval. With two seeds or more the interval is over
    "seeds and people" (`recframe.evaluation.seed_intervals`), from each person's sums in the runs' folders; for metrics of a set of
    people, and for runs without these sums, from the runs' own intervals. With one seed, or if all seeds give the same number, it is the
    interval of one run over "people", which does not include differences between seeds. If runs repeat a seed with the same settings,
    only the last one counts, because they are not independent.

    people: the people's sums in the runs, where they are read already.
    """
    people = PeopleOfRuns() if people is None else people
    metrics = metrics_of_frame(runs)
    settings = settings_of_frame(runs)
    rows = []
    for key, group in last_of_each_seed(runs, settings).group_by([*settings, "policy"], maintain_order=True):
        folders = group["folder"].to_list() if "folder" in group.columns else [None] * group.height
        crossed = people.intervals(folders, str(key[-1]), metrics)
        for metric in metrics:
            measured = group.filter(pl.col(metric).is_not_null())
            if measured.is_empty():
                continue
            # a metric that does not depend on the seed, as of a reference policy, has no spread over seeds, but is not certain
            if measured[metric].n_unique() == 1:
                mean, low, high = measured.select(columns_of_interval(metric)).row(0)
                over = OVER_PEOPLE
            else:
                over = OVER_SEEDS
                results, lows, highs = (measured[name].fill_null(math.nan).to_list() for name in columns_of_interval(metric))
                mean, low, high = crossed.get(metric) or mover_interval(results, lows, highs)
                if is_rate(metric):
                    low, high = max(low, 0.0), min(high, 1.0)
            rows.append((*key, metric, *(_or_null(value) for value in (mean, low, high)), measured.height, over))
    names = [*settings, "policy", "metric"]
    schema = dict.fromkeys(names, pl.String) | {"mean": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema | {SEEDS: pl.Int64, "interval": pl.String}, orient="row")


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
