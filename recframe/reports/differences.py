"""Two runs side by side: what differs in their settings, and how much better one is than the other, person by person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recframe.evaluation.comparisons import compare
from recframe.reports.cells import interval_cell, number
from recframe.reports.directions import Directions, directions_of
from recframe.reports.frame import frame_of, metrics_of_frame, shown_in_reports
from recframe.reports.page.names import TRAINED
from recframe.reports.runs import Sweep, SweepError, SweepRun, find_runs
from recframe.reports.seeds import PeopleOfRuns
from recframe.tracking.machine_record import recorded_threads


@dataclass(frozen=True)
class MetricDifference:
    """A metric of both runs' trained policies, and the first minus the second.

    low, high: the paired 95 % interval over people; NaN if the runs met other people, or people are not recorded.   p: its p-value.
    """

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float

    def cells(self) -> list[str]:
        """As a row of a table."""
        known = math.isfinite(self.low) and math.isfinite(self.high)
        interval = interval_cell(self.difference, self.low, self.high) if known else number(self.difference)
        return [self.metric, number(self.first), number(self.second), interval, number(self.p)]


@dataclass(frozen=True)
class RunDifferences:
    """What `compare_runs` returns.

    settings: `{key: (value in the first, value in the second)}`; None where a run lacks it.   about: the same of versions and threads.
    directions: of the metrics.
    """

    first: SweepRun
    second: SweepRun
    settings: dict[str, tuple[str | None, str | None]]
    about: dict[str, tuple[str | None, str | None]]
    metrics: list[MetricDifference]
    directions: Directions

    @property
    def is_paired(self) -> bool:
        """Whether the intervals are known: both runs met the same people."""
        return any(math.isfinite(metric.low) for metric in self.metrics)

    def entries(self) -> dict[str, Any]:
        """The content as JSON types, with null for what is not known."""

        def plain(value: float) -> float | None:
            return value if math.isfinite(value) else None

        names = ("first", "second", "difference", "low", "high", "p")
        return {
            "runs": [str(self.first.folder), str(self.second.folder)],
            "settings": {key: list(values) for key, values in self.settings.items()},
            "about": {key: list(values) for key, values in self.about.items()},
            "metrics": {
                one.metric: {name: plain(getattr(one, name)) for name in names} | {"better": self.directions.better(one.metric)}
                for one in self.metrics
            },
        }


def compare_runs(first: str | Path, second: str | Path) -> RunDifferences:
    """The differences of two finished runs.

    Raises
    ------
    SweepError: a folder is not that of one finished run.
    """
    runs = (_the_run(first), _the_run(second))
    one, other = runs
    keys = sorted(set(one.config) | set(other.config) | ({"seed"} if one.result["seed"] != other.result["seed"] else set()))
    values = [{**run.config, "seed": str(run.result["seed"])} for run in runs]
    settings = {key: (values[0].get(key), values[1].get(key)) for key in keys if values[0].get(key) != values[1].get(key)}
    groups = {key: (one.choices.get(key), other.choices.get(key)) for key in sorted({*one.choices, *other.choices})}
    chosen = {key: pair for key, pair in groups.items() if pair[0] != pair[1]}
    metrics = _metrics(one, other)
    directions = directions_of([metric.metric for metric in metrics], runs)
    return RunDifferences(one, other, chosen | settings, _about(one, other), metrics, directions)


def _the_run(folder: str | Path) -> SweepRun:
    sweep = find_runs(folder)
    if len(sweep.runs) == 1 and not sweep.unfinished:
        return sweep.runs[0]
    if len(sweep.runs) + len(sweep.unfinished) == 1:
        raise SweepError(f"{folder}: {sweep.unfinished[0].reason}; only finished runs can be compared")
    raise SweepError(f"{folder}: holds {len(sweep.runs) + len(sweep.unfinished)} runs; name one of them, or use recframe report for all")


def _about(one: SweepRun, other: SweepRun) -> dict[str, tuple[str | None, str | None]]:
    found: list[Mapping[str, Any]] = []
    for run in (one, other):
        threads = run.result.get("threads") or recorded_threads(run.folder)
        found.append({**run.result["versions"], **({} if threads is None else {"threads": threads})})
    pairs = {key: (_text(found[0].get(key)), _text(found[1].get(key))) for key in dict.fromkeys([*found[0], *found[1]])}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _metrics(one: SweepRun, other: SweepRun) -> list[MetricDifference]:
    frame = frame_of(Sweep((one.folder, other.folder), (one, other), ())).filter(policy=TRAINED)
    people = PeopleOfRuns([one, other])
    measured = []
    for metric in shown_in_reports(metrics_of_frame(frame), [one, other]):
        means = dict(frame.select("folder", metric).iter_rows())
        values = means.get(str(one.folder)), means.get(str(other.folder))
        if values[0] is not None and values[1] is not None:
            measured.append(_difference(metric, values[0], values[1], [str(one.folder), str(other.folder)], people))
    return measured


def _difference(metric: str, first: float, second: float, folders: Sequence[str], people: PeopleOfRuns) -> MetricDifference:
    stacked = people.stacked([(folder, TRAINED) for folder in folders], [metric])
    if stacked is None or not stacked.met.all():
        return MetricDifference(metric, first, second, first - second, math.nan, math.nan, math.nan)
    found = compare(stacked.sums[:1, :, 0], stacked.sums[1:, :, 0])
    return MetricDifference(metric, first, second, found.difference, found.low, found.high, found.p)
