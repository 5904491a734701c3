"""The results of runs that differ in their seed only, put together: each metric's mean over seeds and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recframe.evaluation.seed_intervals import SeedsInterval, crossed_intervals
from recframe.tracking import read_people
from recframe.tracking.people_file import RecordedPeople

RESAMPLES = 1_000
COLD = "cold/"


class PeopleOfRuns:
    """Each person's sums in the runs of a report, read from each run's people.npz once."""

    def __init__(self) -> None:
        self._read: dict[str, RecordedPeople | None] = {}

    def intervals(self, folders: Sequence[str | None], policy: str, metrics: Sequence[str]) -> dict[str, SeedsInterval]:
        """The intervals over seeds and people of those of `metrics` whose sums all runs have; empty with fewer than two runs."""
        if len(folders) < 2:
            return {}
        recorded = [self._of(folder) for folder in folders]
        runs = [run for run in recorded if run is not None]
        if len(runs) < len(recorded):
            return {}
        sums = [_sums(run, policy) for run in runs]
        known = [metric for metric in metrics if all(metric in each for each in sums)]
        if not known:
            return {}
        everybody = np.unique(np.concatenate([run.ids for run in runs]))
        shared = all(len(run.ids) == len(everybody) for run in runs)
        table = np.zeros((len(runs), len(everybody), len(known), 2))
        for place, (run, each) in enumerate(zip(runs, sums, strict=True)):
            table[place, np.searchsorted(everybody, run.ids)] = np.stack([each[metric] for metric in known], axis=1)
        return dict(zip(known, crossed_intervals(table[..., 0], table[..., 1], shared, RESAMPLES), strict=True))

    def sums(self, folder: str, policy: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
        """The people `[P]` of a run and their sums `[P, 2]` behind a policy's metric, in float64; None if the run has not recorded them."""
        run = self._of(folder)
        sums = {} if run is None else _sums(run, policy)
        return None if run is None or metric not in sums else (run.ids, sums[metric].astype(np.float64))

    def _of(self, folder: str | None) -> RecordedPeople | None:
        if folder is None:
            return None
        if folder not in self._read:
            self._read[folder] = read_people(Path(folder))
        return self._read[folder]


def _sums(run: RecordedPeople, policy: str) -> Mapping[str, np.ndarray]:
    """The sums of a policy by the names of a report's metrics."""
    cold = run.tables.get("cold_items", {}).get(policy, {})
    return run.tables.get("policies", {}).get(policy, {}) | {f"{COLD}{metric}": values for metric, values in cold.items()}
