"""The report on many runs: a table with a row for each setting and policy, averaged over seeds with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from recframe.evaluation.people import WHOSE, counted
from recframe.evaluation.seed_intervals import mover_interval
from recframe.metric_names import COLD_METRICS, METRIC_NAMES, is_rate
from recframe.sweeps.runs import Sweep, SweepRun, find_runs
from recframe.sweeps.seeds import PeopleOfRuns

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


def sweep_table(folder: str | Path) -> Table:
    """The report on a folder of runs for the terminal.

    Raises
    ------
    SweepError: if no run was found in or below the folder.
    """
    from rich.table import Table
    from rich.text import Text

    sweep, header, rows, notes = _report(folder)
    # a grid, because a caption would be wrapped to the width of the table
    page = Table.grid()
    page.add_row(Text(f"{sweep.folder}\n", style="bold"))
    labels = header.index(SEEDS) + 1
    for first in range(labels, len(header), METRICS_PER_BLOCK):
        shown = [*range(labels), *range(first, min(first + METRICS_PER_BLOCK, len(header)))]
        page.add_row(_block([header[index] for index in shown], [[row[index] for index in shown] for row in rows], labels))
        page.add_row("")
    page.add_row(Text("\n".join(notes)))
    return page


def _block(header: Sequence[str], rows: Sequence[Sequence[str]], labels: int) -> Table:
    """A table of the first `labels` columns and some metrics."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="left" if index < labels else "right", overflow="fold")
    for row in rows:
        # in a narrow terminal a cell breaks between mean and interval, not within the interval
        cells = [cell if index < labels else cell.replace(", ", ",") for index, cell in enumerate(row)]
        table.add_row(*map(Text, cells), style="bold" if "trained" in row else None)
    return table


def sweep_markdown(folder: str | Path) -> str:
    """The report on a folder of runs as Markdown.

    Raises
    ------
    SweepError: if no run was found in or below the folder.
    """
    sweep, header, rows, notes = _report(folder)
    lines = [f"# {sweep.folder.resolve().name}", ""]
    if rows:
        lines += [_markdown_row(header), _markdown_row(["---"] * len(header))]
        lines += [_markdown_row(row) for row in rows]
        lines += [""]
    return "\n".join(lines + [f"{note[: -len(note.lstrip())]}- {note.lstrip()}" for note in notes]) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


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
    for metric in sorted(metrics, key=_order):
        schema |= dict.fromkeys((metric, f"{metric}/low", f"{metric}/high"), pl.Float64) | {f"{metric}/n": pl.Int64}
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in schema}, schema)


def _measured(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The metrics of each policy, and as `cold/METRIC` some of those over items never shown in training, if the run has them."""
    cold = result.get("cold_items", {}).get("policies", {})
    return {
        policy: {**metrics, **{f"cold/{name}": cold[policy][name] for name in COLD_METRICS if name in cold.get(policy, {})}}
        for policy, metrics in result["policies"].items()
    }


def _columns_of(metric: str, statistic: Mapping[str, Any]) -> dict[str, Any]:
    return {metric: statistic["mean"]} | {f"{metric}/{part}": statistic[part] for part in ("low", "high", "n")}


def _columns_of_interval(metric: str) -> tuple[str, str, str]:
    return metric, f"{metric}/low", f"{metric}/high"


def _order(metric: str) -> tuple[int, str]:
    first = (*METRIC_NAMES, *(f"cold/{name}" for name in COLD_METRICS))
    return (first.index(metric), "") if metric in first else (len(first), metric)


def _metrics(runs: pl.DataFrame) -> list[str]:
    return [name for name in runs.columns if f"{name}/low" in runs.columns]


def _settings(runs: pl.DataFrame) -> list[str]:
    measured = {column for metric in _metrics(runs) for column in (metric, f"{metric}/low", f"{metric}/high", f"{metric}/n")}
    return [name for name in runs.columns if name not in RUN_COLUMNS and name not in measured]


def _last_of_each_seed(runs: pl.DataFrame, settings: Sequence[str]) -> pl.DataFrame:
    return runs.unique([*settings, "policy", "seed"], keep="last", maintain_order=True)


def _report(folder: str | Path) -> tuple[Sweep, list[str], list[list[str]], list[str]]:
    """The sweep, the report's header (settings, policy, seeds, metrics), its rows, and the notes below it."""
    sweep = find_runs(folder)
    runs = _frame(sweep)
    settings, metrics = _settings(runs), _metrics(runs)
    rows = []
    summary = summarize(runs)
    for key, group in summary.group_by([*settings, "policy"], maintain_order=True):
        cells = {row["metric"]: _cell(row["mean"], row["low"], row["high"]) for row in group.iter_rows(named=True)}
        labels = ["-" if part is None else str(part) for part in key]
        rows.append([*labels, str(group[SEEDS].max()), *(cells.get(metric, "-") for metric in metrics)])
    return sweep, [*settings, "policy", SEEDS, *metrics], rows, _notes(sweep, runs, summary)


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


def _cell(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return "-"
    return _number(mean) if low is None or high is None else f"{_number(mean)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
