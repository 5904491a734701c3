"""The results of many runs as one frame: a row for each run and policy. Imports no torch."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from recframe.evaluation.results import Results
from recframe.evaluation.table import shown_metrics
from recframe.metric_names import COLD_METRICS, base_name, has_heading, place_in_tables, places_of, shown_k
from recframe.reports.runs import Folders, Sweep, SweepRun, find_runs
from recframe.reports.seeds import TABLES

log = logging.getLogger(__name__)

RUN_COLUMNS = {
    "run": pl.String,
    "folder": pl.String,
    "seed": pl.Int64,
    "objective": pl.Float64,
    "env_steps": pl.Int64,
    "seconds": pl.Float64,
    "policy": pl.String,
}
COLD_GROUPS = ("cold_items", "cold_users")


def sweep_frame(folders: Folders) -> pl.DataFrame:
    """All finished runs below a sweep's folder, or several, one row for each run and policy.

    Columns: run (the name of its folder), folder (its absolute path), seed, objective, env_steps, seconds, policy; one column of strings
    for each setting that differs between the runs; and for each metric `<metric>`, `<metric>/low`, `<metric>/high`, `<metric>/n`. Runs
    that have not finished are left out; `find_runs` lists them. So is, with a warning, a metric with the name of a column of runs or
    settings, whose place it would take.

    Raises
    ------
    SweepError: if no run was found in or below the folder.
    """
    return frame_of(find_runs(folders))


def frame_of(sweep: Sweep) -> pl.DataFrame:
    """The frame of `sweep_frame` for runs that were found already."""
    settings = list(dict.fromkeys(key for run in sweep.runs for key in run.settings))
    rows: list[dict[str, Any]] = []
    metrics: dict[str, None] = {}
    taken = {*RUN_COLUMNS, *settings}
    left_out: set[str] = set()
    for run in sweep.runs:
        for policy, measured in _measured(run.result).items():
            row: dict[str, Any] = {name: run.result.get(name) for name in RUN_COLUMNS}
            row |= {"run": run.name, "folder": str(run.folder), "policy": policy} | {key: run.settings.get(key) for key in settings}
            left_out |= taken & measured.keys()
            for metric, statistic in measured.items():
                if metric in taken:
                    continue
                metrics[metric] = None
                row |= _columns_of(metric, statistic)
            rows.append(row)
    if left_out:
        log.warning("metrics are left out that have the names of columns of runs or settings: %s", ", ".join(sorted(left_out)))
    schema: dict[str, Any] = RUN_COLUMNS | dict.fromkeys(settings, pl.String)
    for metric in _ordered(metrics):
        schema |= dict.fromkeys((metric, f"{metric}/low", f"{metric}/high"), pl.Float64) | {f"{metric}/n": pl.Int64}
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema)


def _measured(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics of each policy, and some of those in the run's other tables, with the table's name in front: `cold_items/ndcg@10`."""
    measured = {policy: dict(metrics) for policy, metrics in result["policies"].items()}
    for table, policies in _other_tables(result).items():
        for policy, metrics in policies.items():
            shown = shown_k(metrics, num_items([result]))
            chosen = [name for name in metrics if base_name(name) in COLD_METRICS and places_of(name) in (shown, None)]
            measured.setdefault(policy, {}).update({f"{table}/{name}": metrics[name] for name in chosen})
    return measured


def _other_tables(result: Mapping[str, Any]) -> dict[str, Results]:
    """The tables beside the main one: over items never shown in training, on the log beside a simulator, of new items and users there."""
    tables: dict[str, Results] = {}
    if "cold_items" in result:
        tables["cold"] = result["cold_items"]["policies"]
    ranking = result.get("ranking", {})
    if ranking and ranking["policies"] != result["policies"]:
        tables["log"] = ranking["policies"]
    groups = ranking.get("groups", {})
    return tables | {name: groups[name]["policies"] for name in COLD_GROUPS if name in groups}


def _columns_of(metric: str, statistic: Mapping[str, Any]) -> dict[str, Any]:
    return {metric: statistic["mean"]} | {f"{metric}/{part}": statistic[part] for part in ("low", "high", "n")}


def columns_of_interval(metric: str) -> tuple[str, str, str]:
    """The columns of a metric's mean and of the ends of its interval."""
    return metric, f"{metric}/low", f"{metric}/high"


def _ordered(names: Collection[str]) -> list[str]:
    """Metrics in the order of tables, those of the main table first; `reward/NAME` and the like, which no table shows, last."""

    prefixes = list(TABLES.values())

    def place(name: str) -> tuple[int, tuple[int, int], str]:
        table, slash, metric = name.rpartition("/")
        known = has_heading(metric) and f"{table}{slash}" in prefixes
        return prefixes.index(f"{table}{slash}") if known else len(prefixes), place_in_tables(metric), name

    return sorted(names, key=place)


def metrics_of_frame(runs: pl.DataFrame) -> list[str]:
    """The metrics that a frame has columns of."""
    return [name for name in runs.columns if f"{name}/low" in runs.columns]


def settings_of_frame(runs: pl.DataFrame) -> list[str]:
    """The settings that a frame has columns of."""
    measured = {column for metric in metrics_of_frame(runs) for column in (metric, f"{metric}/low", f"{metric}/high", f"{metric}/n")}
    return [name for name in runs.columns if name not in RUN_COLUMNS and name not in measured]


def last_of_each_seed(runs: pl.DataFrame, settings: Sequence[str]) -> pl.DataFrame:
    """The rows of a frame without those of runs whose settings and seed a later run has, too."""
    return runs.unique([*settings, "policy", "seed"], keep="last", maintain_order=True)


def num_items(results: Sequence[Mapping[str, Any]]) -> int | None:
    """The number of items that were ranked, the smallest of all runs; None if no run says it, as those without a log."""
    counts = [result.get("ranking", {}).get("evaluation", {}).get("items") for result in results]
    return min((count for count in counts if count is not None), default=None)


def shown_in_reports(metrics: Sequence[str], runs: Sequence[SweepRun]) -> list[str]:
    """Those of a frame's metrics that reports show: of rankings, those that the tables of runs show."""
    policies = {f"{run.folder}/{policy}": measured for run in runs for policy, measured in run.result["policies"].items()}
    of_runs = shown_metrics(policies, {"items": num_items([run.result for run in runs])})
    return [name for name in metrics if name in of_runs or not has_heading(name)]
