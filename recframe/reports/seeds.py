"""The results of runs that differ in their seed only, put together: each metric's mean over seeds and its interval."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recframe.evaluation.seed_intervals import SeedsInterval, crossed_intervals
from recframe.reports.comparable import people_met
from recframe.reports.runs import FoundRun, run_in
from recframe.tracking import read_people
from recframe.tracking.people_file import RecordedPeople

RESAMPLES = 1_000
TABLES = {
    "policies": "",
    "cold_items": "cold/",
    "ranking": "log/",
    "ranking.cold_items": "cold_items/",
    "ranking.cold_users": "cold_users/",
}
"""What stands in front of a metric's name in a report, by the table in people.npz that it is from."""


class StackedSums(NamedTuple):
    """What the people of several runs contributed to some metrics of one table.

    metrics: the m of which all runs have each person's sums.   sums: `[S, P, m, 2]` float64, those of P different people in each run, zeros
    where it did not meet them.   met: `[S, P]` bool, whom each run met.
    """

    metrics: list[str]
    sums: np.ndarray
    met: np.ndarray


class PeopleOfRuns:
    """Each person's sums in the runs of a report, read from each run's people.npz once.

    Two runs met the same person if their numbers are equal, and what `people_met` says of the runs. Everybody else is somebody else.

    runs: those that were found already; others are read when they are asked for.
    """

    def __init__(self, runs: Iterable[FoundRun] = ()) -> None:
        self._read: dict[str, RecordedPeople | None] = {}
        self._runs = {str(run.folder): run for run in runs}
        self._met: dict[str, Hashable] = {}
        self._groups: dict[Hashable, int] = {}
        self._group: dict[str, int] = {}

    def group(self, folder: str) -> int:
        """A number that is equal for runs that met the same people; where people are not recorded, as far as settings and data say."""
        if folder not in self._group:
            run = self._of(folder)
            key = (self._people_met(folder), None if run is None else run.ids.tobytes())
            self._group[folder] = self._groups.setdefault(key, len(self._groups))
        return self._group[folder]

    def stacked(self, runs: Sequence[tuple[str, str]], metrics: Sequence[str]) -> StackedSums | None:
        """The sums behind those of a table's metrics that all runs have recorded; None if there are none.

        runs: the folder of each, and the policy.
        """
        recorded = [self._of(folder) for folder, _ in runs]
        known = [run for run in recorded if run is not None]
        if not metrics or len(known) < len(recorded):
            return None
        table = table_of(metrics[0])
        tables = [_sums(run, table, policy) for run, (_, policy) in zip(known, runs, strict=True)]
        names = {metric: metric.removeprefix(TABLES[table]) for metric in metrics}
        shown = [metric for metric, name in names.items() if all(name in each for each in tables)]
        if not shown:
            return None
        places, count = self._numbered([folder for folder, _ in runs], [run.of(table) for run in known])
        sums, met = np.zeros((len(runs), count, len(shown), 2)), np.zeros((len(runs), count), dtype=bool)
        for run, (place, each) in enumerate(zip(places, tables, strict=True)):
            sums[run, place] = np.stack([each[names[metric]] for metric in shown], axis=1)
            met[run, place] = True
        return StackedSums(shown, sums, met)

    def intervals(self, folders: Sequence[str | None], policy: str, metrics: Sequence[str]) -> dict[str, SeedsInterval]:
        """The intervals over seeds and people of those of `metrics` whose sums all runs have; empty with fewer than two runs."""
        runs = [(folder, policy) for folder in folders if folder is not None]
        found: dict[str, SeedsInterval] = {}
        for table in TABLES if 1 < len(runs) == len(folders) else ():
            stacked = self.stacked(runs, [metric for metric in metrics if table_of(metric) == table])
            if stacked is not None:
                of_table = crossed_intervals(stacked.sums[..., 0], stacked.sums[..., 1], bool(stacked.met.all()), RESAMPLES)
                found |= dict(zip(stacked.metrics, of_table, strict=True))
        return found

    def _numbered(self, folders: Sequence[str], ids: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
        """The place of each run's people among all different ones, and their number."""
        groups: dict[Hashable, list[int]] = {}
        for run, folder in enumerate(folders):
            groups.setdefault(self._people_met(folder), []).append(run)
        places: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(folders)
        count = 0
        for alike in groups.values():
            everybody = np.unique(np.concatenate([ids[run] for run in alike]))
            for run in alike:
                places[run] = count + np.searchsorted(everybody, ids[run])
            count += len(everybody)
        return places, count

    def _people_met(self, folder: str) -> Hashable:
        if folder not in self._met:
            self._met[folder] = people_met(self._runs.get(folder) or run_in(Path(folder)))
        return self._met[folder]

    def _of(self, folder: str) -> RecordedPeople | None:
        if folder not in self._read:
            self._read[folder] = read_people(Path(folder))
        return self._read[folder]


def table_of(metric: str) -> str:
    """The table that a report's metric is from: a prefix that is none of a table belongs to the name, as in `reward/click`."""
    return next((table for table, prefix in TABLES.items() if prefix and metric.startswith(prefix)), "policies")


def _sums(run: RecordedPeople, table: str, policy: str) -> Mapping[str, np.ndarray]:
    return run.tables.get(table, {}).get(policy, {})
