"""What became of the jobs of a sweep, and how it is told at the end."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from recframe.errors import Stop, UserError
from recframe.sweeps.record import FAILED, FINISHED, NOT_STARTED, PRUNED, STOPPED
from recframe.sweeps.sweep_file import SweepJob
from recframe.tracking.folder import LOG_NAME
from recframe.tracking.result import RESULT_NAME, ResultError, read_result
from recframe.tracking.resume_command import resume_command

BEFORE = "finished before"
"""The state of a job that had a result before the sweep was started again."""
ORDER = (FINISHED, BEFORE, PRUNED, FAILED, STOPPED, NOT_STARTED)
NAMED = 20
"""The largest number of jobs that a message names."""


class Outcome(NamedTuple):
    """What became of a job. reason: why it failed, stopped or was pruned.   objective: of a job with a result."""

    state: str
    reason: str = ""
    objective: float | None = None


class SweepFailed(UserError):
    """Some jobs of a sweep have no result; the message is the sweep's summary."""

    exit_code = 1


def finished_before(folder: Path) -> Outcome | None:
    """The outcome of a job whose run has a result; None if it has none."""
    if not (folder / RESULT_NAME).is_file():
        return None
    try:
        return Outcome(BEFORE, objective=read_result(folder)["objective"])
    except ResultError as error:
        return Outcome(FAILED, str(error))


def summary(folder: Path, jobs: Sequence[SweepJob], outcomes: Mapping[int, Outcome], stopped_by: int | None = None) -> str:
    """The counts of all jobs, a line for each that has no result, and the command that continues the sweep, if it is not complete.

    A job that is not among the outcomes was never started. `stopped_by` is the number of the signal that the sweep was stopped by.
    """
    found = {job.number: outcomes.get(job.number, Outcome(NOT_STARTED)) for job in jobs}
    how = "" if stopped_by is None else f" was stopped by {signal.Signals(stopped_by).name}"
    lines = [f"the sweep in {folder}{how}: {job_counts(found)}"]
    lacking = [job for job in jobs if found[job.number].state in (FAILED, STOPPED)]
    shared = set(jobs[0].overrides).intersection(*(job.overrides for job in jobs)) if len(jobs) > 1 else set()
    for job in lacking[:NAMED]:
        outcome = found[job.number]
        own = " ".join(text for text in job.overrides if text not in shared)
        lines.append(f"  {outcome.state}: {folder / job.folder}{f' ({own})' if own else ''}: {outcome.reason}")
    if len(lacking) > NAMED:
        lines.append(f"  and {len(lacking) - NAMED} more")
    if any(found[job.number].state == FAILED for job in lacking):
        lines.append(f"Logs with tracebacks: {LOG_NAME} in the folders of the jobs.")
    if not is_complete(jobs, outcomes):
        lines.append(f"Run what is missing with: {resume_command(folder)}")
    return "\n".join(lines)


def job_counts(found: Mapping[int, Outcome]) -> str:
    """The number of jobs in each state, such as "3 finished, 1 failed"."""
    counts = Counter(outcome.state for outcome in found.values())
    return ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state]) or "no jobs"


def is_complete(jobs: Sequence[SweepJob], outcomes: Mapping[int, Outcome]) -> bool:
    """Whether all jobs have a result, or were ended because they need none."""
    return all(job.number in outcomes and outcomes[job.number].state in (FINISHED, BEFORE, PRUNED) for job in jobs)


def finish(folder: Path, jobs: Sequence[SweepJob], outcomes: Mapping[int, Outcome], stopped_by: int | None = None) -> None:
    """End a sweep with its summary: printed if all jobs have a result, and else as the message of an error.

    Parameters
    ----------
    stopped_by: the number of the signal that the sweep was stopped by.

    Raises
    ------
    Stop: the sweep was stopped by a signal.
    SweepFailed: a job has no result.
    """
    text = summary(folder, jobs, outcomes, stopped_by)
    if stopped_by is not None:
        raise Stop(text, 128 + stopped_by)
    if not is_complete(jobs, outcomes):
        raise SweepFailed(text)
    print(f"recframe: {text}")
