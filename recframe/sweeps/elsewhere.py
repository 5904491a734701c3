"""What launchers need in the starting process for jobs that run elsewhere: the sweep's record, and the results of jobs that have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, open_dict

from recframe.errors import JobFailed, JobStopped
from recframe.sweeps.failure import leave_failure
from recframe.sweeps.limits import VARIABLE as LIMITS_VARIABLE
from recframe.sweeps.limits import Limits, ended_natively
from recframe.sweeps.record import ENDED, LOST, NOT_STARTED, NUMBER_VARIABLE, RUNNING, JobNote, SweepRecord
from recframe.sweeps.remote import failed
from recframe.tracking.folder import LOG_NAME


def prepared(config: DictConfig) -> None:
    """Prepare the start of jobs elsewhere, in place: the folder of the sweep exists, is absolute, and holds the sweep's record."""
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder)
    if (record := SweepRecord.of_environment()) is not None:
        record.move_into(folder)


def number_of(job: int, overrides: Sequence[str]) -> int:
    """The number of a job in its sweep, which a sweeper may say in the overrides; by default, the launcher's."""
    return int(_variable(NUMBER_VARIABLE, overrides) or job)


def _variable(name: str, overrides: Sequence[str]) -> str:
    """The value of a variable in the environment of a job with these overrides; empty if they do not set it."""
    key = f"hydra.job.env_set.{name}="
    texts = [text.partition("=")[2].strip("'") for text in overrides if text.lstrip("+").startswith(key)]
    return texts[-1] if texts else ""


def ended_at_limit(number: int, overrides: Sequence[str]) -> str | None:
    """The limit that a job, by its number in the sweep, was ended at with its process, because it did not stop; None if it was not."""
    last, limits = notes().get(number), Limits.of_written(_variable(LIMITS_VARIABLE, overrides))
    if last is not None and last.state == ENDED:
        return last.reason
    # one that holds Python's lock cannot tell; one that was lost may be noticed late
    hung = last is not None and last.state == RUNNING and limits.hung(last.since) and ended_natively(Path(last.folder) / LOG_NAME)
    return f"{limits.time_exceeded()} and did not stop" if hung else None


def sweep_stopped() -> bool:
    """Whether the jobs of the sweep are to stop."""
    record = SweepRecord.of_environment()
    return record is not None and record.stop_signal is not None


def notes() -> Mapping[int, JobNote]:
    """What each job of the sweep has told last, by its number in the sweep."""
    record = SweepRecord.of_environment()
    return {} if record is None else record.notes()


def not_started(number: int, overrides: Sequence[str]) -> JobReturn:
    """The result of a job, by its number in the sweep, that did not start because the sweep was stopped; it is recorded."""
    _note(number, NOT_STARTED)
    return failed(overrides, JobStopped("the sweep was stopped before this job started"))


def lost(number: int, overrides: Sequence[str], reason: str) -> JobReturn:
    """The result of a job, by its number in the sweep, whose process ended without one; it is recorded, also in the folder of its run."""
    last = notes().get(number)
    if (limit := ended_at_limit(number, overrides)) is not None:
        reason = limit
    if last is None or last.state != ENDED:
        _note(number, LOST, reason)
    if last is not None and last.folder:
        leave_failure(Path(last.folder), reason)
    return failed(overrides, JobFailed(reason))


def _note(number: int, state: str, reason: str = "") -> None:
    if (record := SweepRecord.of_environment()) is not None:
        last = record.notes().get(number)
        record.note(number, state, "" if last is None else last.folder, reason)
