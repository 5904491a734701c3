"""The results of runs that differ in their seed only, put together: each metric's mean over seeds and its interval."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from recframe.evaluation.seed_intervals import SeedsInterval, crossed_intervals
from recframe.reports.comparable import people_met
from recframe.reports.runs import FoundRun
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


class PeopleOfRuns:
    """Each person's sums in the runs of a report, read from each run's people.npz once.

    runs: those whose people may be paired.
    """

    def __init__(self, runs: Iterable[FoundRun] = ()) -> None:
        self._read: dict[str, RecordedPeople | None] = {}
        self._runs = {str(run.folder): run for run in runs}
        self._met: dict[str, Hashable] = {}

    def same(self, folders: Iterable[str]) -> bool:
        """Whether the same number is the same person in all these runs: they met the people of one world, with the same data."""
        return len({self._people_met(folder) for folder in folders}) <= 1

    def intervals(self, folders: Sequence[str | None], policy: str, metrics: Sequence[str]) -> dict[str, SeedsInterval]:
        """The intervals over seeds and people of those of `metrics` whose sums all runs have; empty with fewer than two runs."""
        if len(folders) < 2:
            return {}
        recorded = [self._of(folder) for folder in folders]
        runs = [run for run in recorded if run is not None]
        if len(runs) < len(recorded):
            return {}
        found: dict[str, SeedsInterval] = {}
        for table, prefix in TABLES.items():
            own = [metric.removeprefix(prefix) for metric in metrics if table_of(metric) == table]
            found |= {f"{prefix}{metric}": interval for metric, interval in _crossed(runs, table, policy, own).items()}
        return found

    def sums(self, folder: str, policy: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The people `[P]` of a run and their sums `[P, 2]` behind a policy's metric, in float64; None if the run has not recorded them."""
        run, table = self._of(folder), table_of(metric)
        sums = {} if run is None else _sums(run, table, policy)
        name = metric.removeprefix(TABLES[table])
        return None if run is None or name not in sums else (run.of(table), sums[name].astype(np.float64))

    def stacked(self, folders: Sequence[str], policy: str, metrics: Sequence[str]) -> tuple[list[str], np.ndarray]:
        """Those of a table's metrics whose sums all runs have, and the sums `[S, P, m, 2]` of the same P people in each; empty if others
        were met.
        """
        recorded = [self._of(folder) for folder in folders]
        runs = [run for run in recorded if run is not None]
        if not metrics or len(runs) < len(recorded):
            return [], np.zeros((0, 0, 0, 2))
        table = table_of(metrics[0])
        sums = [_sums(run, table, policy) for run in runs]
        known = [metric for metric in metrics if all(metric.removeprefix(TABLES[table]) in each for each in sums)]
        if not known or not all(np.array_equal(run.of(table), runs[0].of(table)) for run in runs):
            return [], np.zeros((0, 0, 0, 2))
        own = [metric.removeprefix(TABLES[table]) for metric in known]
        return known, np.stack([np.stack([each[name] for name in own], axis=1) for each in sums]).astype(np.float64)

    def _people_met(self, folder: str) -> Hashable:
        if folder not in self._met:
            self._met[folder] = people_met(self._runs[folder])
        return self._met[folder]

    def _of(self, folder: str | None) -> RecordedPeople | None:
        if folder is None:
            return None
        if folder not in self._read:
            self._read[folder] = read_people(Path(folder))
        return self._read[folder]


def table_of(metric: str) -> str:
    """The table that a report's metric is from: a prefix that is none of a table belongs to the name, as in `reward/click`."""
    return next((table for table, prefix in TABLES.items() if prefix and metric.startswith(prefix)), "policies")


def _sums(run: RecordedPeople, table: str, policy: str) -> Mapping[str, np.ndarray]:
    return run.tables.get(table, {}).get(policy, {})


def _crossed(runs: Sequence[RecordedPeople], table: str, policy: str, metrics: Sequence[str]) -> dict[str, SeedsInterval]:
    """The intervals of those of a table's metrics whose sums all runs have."""
    sums = [_sums(run, table, policy) for run in runs]
    known = [metric for metric in metrics if all(metric in each for each in sums)]
    if not known:
        return {}
    everybody = np.unique(np.concatenate([run.of(table) for run in runs]))
    shared = all(len(run.of(table)) == len(everybody) for run in runs)
    values = np.zeros((len(runs), len(everybody), len(known), 2))
    for place, (run, each) in enumerate(zip(runs, sums, strict=True)):
        values[place, np.searchsorted(everybody, run.of(table))] = np.stack([each[metric] for metric in known], axis=1)
    return dict(zip(known, crossed_intervals(values[..., 0], values[..., 1], shared, RESAMPLES), strict=True))
