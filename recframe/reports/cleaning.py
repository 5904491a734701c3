"""Which checkpoints of finished runs can go: those of all but the best."""

from __future__ import annotations

import math
import shutil
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recframe.reports.comparable import contest_of, objective_of
from recframe.reports.runs import Folders, FoundRun, SweepRun, find_runs
from recframe.tracking.folder import RunFolder, RunFolderError

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Removal:
    """The checkpoints of a run, which would be removed.     objective: the run's."""

    run: str
    folder: Path
    objective: float
    size: int


@dataclass(frozen=True)
class Cleaning:
    """What would be removed, and what stays: the best runs, and `{run: reason}` for others whose checkpoints stay."""

    removals: tuple[Removal, ...]
    best: tuple[str, ...]
    left: dict[str, str]

    @property
    def size(self) -> int:
        """The bytes that would be free."""
        return sum(removal.size for removal in self.removals)

    def remove(self) -> Iterator[tuple[Removal, str | None]]:
        """Remove the checkpoints one run after the other; yields each with the reason why its checkpoints stay, or None.

        A run's folder is locked meanwhile, so that an evaluation that reads the checkpoint is not robbed of it.
        """
        for removal in self.removals:
            try:
                with RunFolder.open(removal.folder) as folder:
                    if not folder.is_finished:
                        yield removal, "it is no longer finished"
                        continue
                    shutil.rmtree(folder.checkpoints)
            except RunFolderError as error:
                yield removal, str(error)
            except OSError as error:
                yield removal, f"{error.filename}: cannot be removed ({error.strerror})"
            else:
                yield removal, None


def plan_cleaning(folders: Folders, keep: int = 1) -> Cleaning:
    """The checkpoints of all finished runs in and below a folder, or several, but the `keep` best by their objective.

    Runs of all folders are compared together. Each run counts once, also where folders overlap or are links to each other.

    Runs whose objectives are of different metrics, or of another world, data or evaluation (`contest_of`), are not compared: the best of
    each stay. Checkpoints of runs without a result stay, and of runs without an objective.

    Raises
    ------
    SweepError: a folder does not exist, or no run was found.
    """
    sweep = find_runs(folders)
    left = {run.name: str(run.state) for run in sweep.unfinished}
    left |= {run.name: "has no objective" for run in sweep.runs if run.result["objective"] is None}
    kinds: dict[tuple[str, bool, Hashable], list[SweepRun]] = {}
    for run in sweep.runs:
        if run.result["objective"] is not None:
            kinds.setdefault((*objective_of(run), contest_of(run)), []).append(run)
    # of whichever run, finished or not
    every: list[FoundRun] = [*sweep.runs, *sweep.unfinished]
    borrowed = {place.resolve() for run in every if (place := run.folder / CHECKPOINTS).is_symlink()}
    best: list[str] = []
    removals: list[Removal] = []
    for (_, low_is_better, _), runs in kinds.items():
        ordered = sorted(runs, key=lambda run: (1 if low_is_better else -1) * _finite(run.result["objective"], low_is_better))
        best += [run.name for run in ordered[:keep]]
        for run in ordered[keep:]:
            checkpoints = run.folder / CHECKPOINTS
            if checkpoints.is_symlink():
                left[run.name] = "its checkpoints are elsewhere: the folder is a link"
            elif checkpoints in borrowed:
                left[run.name] = "the checkpoints of another run are a link to its own"
            elif checkpoints.is_dir():
                removals.append(Removal(run.name, run.folder, float(run.result["objective"]), _size(checkpoints)))
    return Cleaning(tuple(removals), tuple(best), left)


def _finite(value: float, low_is_better: bool) -> float:
    return value if math.isfinite(value) else (math.inf if low_is_better else -math.inf)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
