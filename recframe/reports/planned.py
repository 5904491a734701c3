"""The jobs of a sweep that have no folder of a run yet, from its sweep.json."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from recframe.tracking.lock_state import is_locked
from recframe.tracking.resume_command import SWEEP_NAME, resume_command

SWEEP_LOCK = "sweep.lock"


class PlannedJob(NamedTuple):
    """A job that has not started: its folder, its overrides, and what is to be said of it."""

    folder: Path
    overrides: tuple[str, ...]
    reason: str


def planned_jobs(sweep: Path, started: Collection[Path]) -> Iterator[PlannedJob]:
    """The jobs in the sweep.json of a folder whose folders are not among `started`; none without such a file, or if it is damaged."""
    try:
        content = json.loads((sweep / SWEEP_NAME).read_text(encoding="utf-8"))
        jobs = [_job(sweep, job) for job in content["jobs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    goes_on = is_locked(sweep / SWEEP_LOCK)
    left = [(folder, overrides) for folder, overrides in jobs if folder.resolve() not in started]
    if not left:
        return
    reason = "not started yet: the sweep goes on" if goes_on else f"not started; run what is missing with: {resume_command(sweep)}"
    for folder, overrides in left:
        yield PlannedJob(folder, overrides, reason)


def _job(sweep: Path, job: Any) -> tuple[Path, tuple[str, ...]]:
    return sweep / str(job["folder"]), tuple(map(str, job["overrides"]))
