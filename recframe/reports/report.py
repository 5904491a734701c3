"""The report on many runs: a table with a row for each setting and policy, averaged over seeds with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from recframe.evaluation.people import WHOSE, counted
from recframe.evaluation.results import Results
from recframe.evaluation.seed_intervals import mover_interval
from recframe.evaluation.table import shown_metrics
from recframe.metric_names import COLD_METRICS, base_name, has_heading, is_rate, place_in_tables, places_of, shown_k
from recframe.reports.cells import block, interval_cell, markdown_row
from recframe.reports.comparison import ComparisonTable, comparison_table
from recframe.reports.runs import Sweep, SweepRun, find_runs
from recframe.reports.seeds import TABLES, PeopleOfRuns

if TYPE_CHECKING:
    from rich.table import Table

METRICS_PER_BLOCK = 3  # fits a terminal of 80 columns

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
SEEDS = "seeds"
OVER_SEEDS = "seeds and people"
OVER_PEOPLE = "people"


def sweep_frame(folder: str | Path) -> pl.DataFrame:
    """All finished runs below a sweep's folder, one row for each run and policy.

    Columns: run (the name of its folder), folder (its absolute path), seed, objective, env_steps, seconds, policy; one column of strings
    for each setting that differs between the runs; and for each metric `<metric>`, `<metric>/low`, `<metric>/high`, `<metric>/n`. Runs
    that have not finished are left out; `find_runs` lists them.

    Raises
    ------
    SweepError: if no run was found in or below the folder.
    """
    return _frame(find_runs(folder))


def summarize(runs: pl.DataFrame) -> pl.DataFrame:
    """Means over seeds, from the result of `sweep_frame`: one row for each setting, policy and metric, in order of appearance.

    Columns: the settings, policy, metric, mean, low, high, seeds (their number), interval. With two seeds or more the interval is over
    "seeds and people" (`recframe.evaluation.seed_intervals`), from each person's sums in the runs' folders; for metrics of a set of
    people, and for runs without these sums, from the runs' own intervals. With one seed, or if all seeds give the same number, it is the
    interval of one run over "people", which does not include differences between seeds. If runs repeat a seed with the same settings,
    only the last one counts, because they are not independent.
    """
    people = PeopleOfRuns()
    metrics = _metrics(runs)
    settings = _settings(runs)
    rows = []
    for key, group in _last_of_each_seed(runs, settings).group_by([*settings, "policy"], maintain_order=True):
        folders = group["folder"].to_list() if "folder" in group.columns else [None] * group.height
        crossed = people.intervals(folders, str(key[-1]), metrics)
        for metric in metrics:
            measured = group.filter(pl.col(metric).is_not_null())
            if measured.is_empty():
                continue
            # a metric that does not depend on the seed, as of a reference policy, has no spread over seeds, but is not certain
            if measured[metric].n_unique() == 1:
                mean, low, high = measured.select(_columns_of_interval(metric)).row(0)
                over = OVER_PEOPLE
            else:
                over = OVER_SEEDS
                results, lows, highs = (measured[name].fill_null(math.nan).to_list() for name in _columns_of_interval(metric))
                mean, low, high = crossed.get(metric) or mover_interval(results, lows, highs)
                if is_rate(metric):
                    low, high = max(low, 0.0), min(high, 1.0)
            rows.append((*key, metric, *(_or_null(value) for value in (mean, low, high)), measured.height, over))
    names = [*settings, "policy", "metric"]
    schema = dict.fromkeys(names, pl.String) | {"mean": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema | {SEEDS: pl.Int64, "interval": pl.String}, orient="row")


def sweep_table(folder: str | Path, against: str | None = None, metric: str | None = None) -> Table:
    """The report on a folder of runs for the terminal, with the comparison of `recframe.reports.comparison`.

    Raises
    ------
    SweepError: if no run was found in or below the folder, or if the comparison that is asked for is not possible.
    """
    from rich.table import Table
    from rich.text import Text

    sweep, header, rows, notes, compared = _report(folder, against, metric)
    # a grid, because a caption would be wrapped to the width of the table
    page = Table.grid()
    page.add_row(Text(f"{sweep.folder}\n", style="bold"))
    labels = header.index(SEEDS) + 1
    for first in range(labels, len(header), METRICS_PER_BLOCK):
        shown = [*range(labels), *range(first, min(first + METRICS_PER_BLOCK, len(header)))]
        page.add_row(block([header[index] for index in shown], [[row[index] for index in shown] for row in rows], labels))
        page.add_row("")
    if compared is not None:
        page.add_row(Text(compared.title, style="bold"))
        page.add_row(block(compared.header, compared.rows, labels))
        page.add_row("")
    page.add_row(Text("\n".join(notes)))
    return page


def sweep_markdown(folder: str | Path, against: str | None = None, metric: str | None = None) -> str:
    """The same report as Markdown.

    Raises
    ------
    SweepError: as `sweep_table`.
    """
    sweep, header, rows, notes, compared = _report(folder, against, metric)
    lines = [f"# {sweep.folder.resolve().name}", ""]
    if rows:
        lines += [markdown_row(header), markdown_row(["---"] * len(header))]
        lines += [markdown_row(row) for row in rows]
        lines += [""]
    if compared is not None:
        lines += [f"## {compared.title}", "", markdown_row(compared.header), markdown_row(["---"] * len(compared.header))]
        lines += [markdown_row(row) for row in compared.rows] + [""]
    return "\n".join(lines + [f"{note[: -len(note.lstrip())]}- {note.lstrip()}" for note in notes]) + "\n"


def _frame(sweep: Sweep) -> pl.DataFrame:
    settings = list(dict.fromkeys(key for run in sweep.runs for key in run.settings))
    rows: list[dict[str, Any]] = []
    metrics: dict[str, None] = {}
    for run in sweep.runs:
        for policy, measured in _measured(run.result).items():
            row: dict[str, Any] = {name: run.result.get(name) for name in RUN_COLUMNS}
            row |= {"run": run.name, "folder": str(run.folder), "policy": policy} | {key: run.settings.get(key) for key in settings}
            for metric, statistic in measured.items():
                metrics[metric] = None
                row |= _columns_of(metric, statistic)
            rows.append(row)
    schema: dict[str, Any] = RUN_COLUMNS | dict.fromkeys(settings, pl.String)
    for metric in _ordered(metrics):
        schema |= dict.fromkeys((metric, f"{metric}/low", f"{metric}/high"), pl.Float64) | {f"{metric}/n": pl.Int64}
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema)


def _measured(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics of each policy, and some of those in the run's other tables, with the table's name in front: `cold_items/ndcg@10`."""
    measured = {policy: dict(metrics) for policy, metrics in result["policies"].items()}
    for table, policies in _other_tables(result).items():
        for policy, metrics in policies.items():
            shown = shown_k(metrics, _num_items([result]))
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


def _columns_of_interval(metric: str) -> tuple[str, str, str]:
    return metric, f"{metric}/low", f"{metric}/high"


def _ordered(names: Collection[str]) -> list[str]:
    """Metrics in the order of tables, those of the main table first; `reward/NAME` and the like, which no table shows, last."""

    prefixes = list(TABLES.values())

    def place(name: str) -> tuple[int, tuple[int, int], str]:
        table, slash, metric = name.rpartition("/")
        known = has_heading(metric) and f"{table}{slash}" in prefixes
        return prefixes.index(f"{table}{slash}") if known else len(prefixes), place_in_tables(metric), name

    return sorted(names, key=place)


def _metrics(runs: pl.DataFrame) -> list[str]:
    return [name for name in runs.columns if f"{name}/low" in runs.columns]


def _settings(runs: pl.DataFrame) -> list[str]:
    measured = {column for metric in _metrics(runs) for column in (metric, f"{metric}/low", f"{metric}/high", f"{metric}/n")}
    return [name for name in runs.columns if name not in RUN_COLUMNS and name not in measured]


def _last_of_each_seed(runs: pl.DataFrame, settings: Sequence[str]) -> pl.DataFrame:
    return runs.unique([*settings, "policy", "seed"], keep="last", maintain_order=True)


def _report(
    folder: str | Path, against: str | None, metric: str | None
) -> tuple[Sweep, list[str], list[list[str]], list[str], ComparisonTable | None]:
    """The sweep, the report's header (settings, policy, seeds, metrics), its rows, the notes below it, and the comparison."""
    sweep = find_runs(folder)
    runs = _frame(sweep)
    settings, metrics = _settings(runs), _shown(_metrics(runs), sweep.runs)
    rows = []
    summary = summarize(runs)
    for key, group in summary.group_by([*settings, "policy"], maintain_order=True):
        cells = {row["metric"]: interval_cell(row["mean"], row["low"], row["high"]) for row in group.iter_rows(named=True)}
        labels = ["-" if part is None else str(part) for part in key]
        rows.append([*labels, str(group[SEEDS].max()), *(cells.get(metric, "-") for metric in metrics)])
    num_items = _num_items([run.result for run in sweep.runs])
    compared = comparison_table(_last_of_each_seed(runs, settings), settings, against, metric, num_items)
    notes = _notes(sweep, runs, summary) + ([] if compared is None else compared.notes)
    return sweep, [*settings, "policy", SEEDS, *metrics], rows, notes, compared


def _shown(metrics: Sequence[str], runs: Sequence[SweepRun]) -> list[str]:
    """The metrics that the report shows: of rankings, those that the tables of runs show."""
    policies = {f"{run.name}/{policy}": measured for run in runs for policy, measured in run.result["policies"].items()}
    of_runs = shown_metrics(policies, {"items": _num_items([run.result for run in runs])})
    return [name for name in metrics if name in of_runs or not has_heading(name)]


def _num_items(results: Sequence[Mapping[str, Any]]) -> int | None:
    """The number of items that were ranked, the smallest of all runs; None if no run says it, as those without a log."""
    counts = [result.get("ranking", {}).get("evaluation", {}).get("items") for result in results]
    return min((count for count in counts if count is not None), default=None)


def _notes(sweep: Sweep, runs: pl.DataFrame, summary: pl.DataFrame) -> list[str]:
    notes = [f"{len(sweep.runs)} finished {_runs(len(sweep.runs))}"]
    repeats = runs["run"].n_unique() - _last_of_each_seed(runs, _settings(runs))["run"].n_unique()
    if repeats:
        notes[0] += f", {repeats} of them left out: a later run has the same settings and seed"
    kinds = set(summary["interval"])
    if OVER_SEEDS in kinds:
        notes.append("two seeds or more that differ: mean over seeds and its 95 % interval over seeds and people")
    if OVER_PEOPLE in kinds:
        notes.append("one seed, or the same in all: a run's own 95 % interval over people; another seed may differ by more")
    notes += _evaluated(sweep.runs)
    if sweep.unfinished:
        notes.append(f"{len(sweep.unfinished)} {_runs(len(sweep.unfinished))} without a result:")
        notes += [f"  {run.name}: {run.reason}" for run in sweep.unfinished]
    return notes


def _evaluated(runs: Sequence[SweepRun]) -> list[str]:
    """What the runs say about whom they were evaluated on, one line for each answer; nothing where runs of earlier releases do not say."""
    counts: dict[str, int] = {}
    for run in runs:
        about = run.result.get("evaluation")
        line = "number of people not recorded (earlier release)" if about is None else f"{counted(about)}; {WHOSE[about['split']]}"
        counts[line] = counts.get(line, 0) + 1
    if len(counts) < 2:
        return [f"each run evaluated on {line}" for line, _ in counts.items() if "recorded" not in line]
    return [f"evaluation of {count} {_runs(count)}: {line}" for line, count in counts.items()]


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
