"""The report on many runs: a table with a row for each setting and policy, averaged over seeds with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from recframe.evaluation.people import WHOSE, counted
from recframe.reports.caveats import counted_caveats, noted
from recframe.reports.cells import block, interval_cell, markdown_row
from recframe.reports.comparison import ComparisonTable, comparison_table
from recframe.reports.directions import directions_of
from recframe.reports.frame import frame_of, last_of_each_seed, metrics_of_frame, num_items, settings_of_frame, shown_in_reports
from recframe.reports.runs import Folders, Sweep, SweepRun, find_runs
from recframe.reports.seeds import PeopleOfRuns
from recframe.reports.summary import OVER_PEOPLE, OVER_SEEDS, SEEDS, summarize

if TYPE_CHECKING:
    from rich.table import Table

UNKNOWN_PEOPLE = "number of people not recorded (earlier release)"
METRICS_PER_BLOCK = 3  # fits a terminal of 80 columns


def sweep_table(folders: Folders, against: str | None = None, metric: str | None = None) -> Table:
    """The report on a folder of runs for the terminal, with the comparison of `recframe.reports.comparison`.

    Raises
    ------
    SweepError: if no run was found in or below the folder, or if the comparison that is asked for is not possible.
    """
    from rich.table import Table
    from rich.text import Text

    sweep, header, rows, notes, compared = _report(folders, against, metric)
    # a grid, because a caption would be wrapped to the width of the table
    page = Table.grid()
    page.add_row(Text(f"{', '.join(map(str, sweep.folders))}\n", style="bold"))
    for caveat in counted_caveats(sweep.runs).items():
        page.add_row(Text(f"{noted(*caveat)}\n", style="bold yellow"))
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


def sweep_markdown(folders: Folders, against: str | None = None, metric: str | None = None) -> str:
    """The same report as Markdown.

    Raises
    ------
    SweepError: as `sweep_table`.
    """
    sweep, header, rows, notes, compared = _report(folders, against, metric)
    lines = [f"# {sweep.title}", "", *(f"**{noted(*caveat)}**\n" for caveat in counted_caveats(sweep.runs).items())]
    if rows:
        lines += [markdown_row(header), markdown_row(["---"] * len(header))]
        lines += [markdown_row(row) for row in rows]
        lines += [""]
    if compared is not None:
        lines += [f"## {compared.title}", "", markdown_row(compared.header), markdown_row(["---"] * len(compared.header))]
        lines += [markdown_row(row) for row in compared.rows] + [""]
    return "\n".join(lines + [f"{note[: -len(note.lstrip())]}- {note.lstrip()}" for note in notes]) + "\n"


def _report(
    folders: Folders, against: str | None, metric: str | None
) -> tuple[Sweep, list[str], list[list[str]], list[str], ComparisonTable | None]:
    """The sweep, the report's header (settings, policy, seeds, metrics), its rows, the notes below it, and the comparison."""
    sweep = find_runs(folders)
    runs = frame_of(sweep)
    settings, metrics = settings_of_frame(runs), shown_in_reports(metrics_of_frame(runs), sweep.runs)
    rows = []
    people = PeopleOfRuns(sweep.runs)
    summary = summarize(runs, people)
    for key, group in summary.group_by([*settings, "policy"], maintain_order=True):
        cells = {row["metric"]: interval_cell(row["mean"], row["low"], row["high"]) for row in group.iter_rows(named=True)}
        labels = ["-" if part is None else str(part) for part in key]
        rows.append([*labels, str(group[SEEDS].max()), *(cells.get(metric, "-") for metric in metrics)])
    count = num_items([run.result for run in sweep.runs])
    directions = directions_of(metrics_of_frame(runs), sweep.runs)
    compared = comparison_table(last_of_each_seed(runs, settings), settings, against, metric, count, people, directions)
    notes = _notes(sweep, runs, summary, directions.told(metrics)) + ([] if compared is None else compared.notes)
    return sweep, [*settings, "policy", SEEDS, *metrics], rows, notes, compared


def _notes(sweep: Sweep, runs: pl.DataFrame, summary: pl.DataFrame, told: str) -> list[str]:
    notes = [f"{len(sweep.runs)} finished {_runs(len(sweep.runs))}"]
    repeats = runs["run"].n_unique() - last_of_each_seed(runs, settings_of_frame(runs))["run"].n_unique()
    if repeats:
        notes[0] += f", {repeats} of them left out: a later run has the same settings and seed"
    kinds = set(summary["interval"])
    if OVER_SEEDS in kinds:
        notes.append("two seeds or more that differ: mean over seeds and its 95 % interval over seeds and people")
    if OVER_PEOPLE in kinds:
        notes.append("one seed, or the same in all: a run's own 95 % interval over people; another seed may differ by more")
    notes += [told] if told else []
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
        line = (
            "number of people not recorded (earlier release)"
            if about is None
            else f"{counted(about)}; {WHOSE.get(about['split'], about['split'])}"
        )
        counts[line] = counts.get(line, 0) + 1
    if len(counts) < 2:
        return [f"each run evaluated on {line}" for line, _ in counts.items() if line != UNKNOWN_PEOPLE]
    return [f"evaluation of {count} {_runs(count)}: {line}" for line, count in counts.items()]


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
