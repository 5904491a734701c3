"""The jobs of a sweep that have no folder of a run yet, from its sweep.json."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from recframe.tracking.folder import CONFIG_NAME, FAILURE_NAME, LOG_NAME, OVERRIDES_NAME
from recframe.tracking.lock_state import is_locked
from recframe.tracking.result import RESULT_NAME
from recframe.tracking.resume_command import SWEEP_NAME, resume_command

SWEEP_LOCK = "sweep.lock"


class PlannedJob(NamedTuple):
    """A job that has not started: its folder, its overrides, and what is to be said of it."""

    folder: Path
    overrides: tuple[str, ...]
    reason: str


def planned_jobs(sweep: Path, started: Collection[Path]) -> Iterator[PlannedJob]:
    """The jobs in the sweep.json of a folder whose folders are not among `started`; none without such a file, or if it is damaged.

    A job in a folder elsewhere, as with an absolute `hydra.sweep.subdir`, has started if that holds a run.
    """
    try:
        content = json.loads((sweep / SWEEP_NAME).read_text(encoding="utf-8"))
        jobs = [_job(sweep, job) for job in content["jobs"]]
        left = [job for job in jobs if job[0].resolve() not in started and (job[0].is_relative_to(sweep) or not _holds_run(job[0]))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    if not left:
        return
    goes_on = is_locked(sweep / SWEEP_LOCK)
    reason = "not started yet: the sweep goes on" if goes_on else f"not started; run what is missing with: {resume_command(sweep)}"
    for folder, overrides in left:
        yield PlannedJob(folder, overrides, reason)


def _holds_run(folder: Path) -> bool:
    """Whether the files in a folder are those of a run, finished or not."""
    try:
        return is_run_folder({child.name for child in folder.iterdir()})
    except OSError:  # not there, or somebody else's
        return False


def is_run_folder(names: Collection[str]) -> bool:
    """Whether files of these names make a folder that of a run."""
    # a config.yaml alone may belong to something else; a run.log or failure.json alone is of a run that ended before it wrote its config
    return {CONFIG_NAME, OVERRIDES_NAME} <= set(names) or not {RESULT_NAME, LOG_NAME, FAILURE_NAME}.isdisjoint(names)


def _job(sweep: Path, job: Any) -> tuple[Path, tuple[str, ...]]:
    return sweep / str(job["folder"]), tuple(map(str, job["overrides"]))
