"""What launchers need in the starting process for jobs that run elsewhere: the sweep's record, and the results of jobs that have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from omegaconf import DictConfig, open_dict

from recframe.errors import JobFailed, JobStopped
from recframe.sweeps.failure import leave_failure
from recframe.sweeps.record import ENDED, LOST, NOT_STARTED, NUMBER_VARIABLE, JobNote, SweepRecord
from recframe.sweeps.remote import failed


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
    key = f"hydra.job.env_set.{NUMBER_VARIABLE}="
    texts = [text.partition("=")[2].strip("'") for text in overrides if text.lstrip("+").startswith(key)]
    return int(texts[-1]) if texts else job


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
    if last is not None and last.state == ENDED:
        # at a limit, by itself
        reason = last.reason
    else:
        _note(number, LOST, reason)
    if last is not None and last.folder:
        leave_failure(Path(last.folder), reason)
    return failed(overrides, JobFailed(reason))


def _note(number: int, state: str, reason: str = "") -> None:
    if (record := SweepRecord.of_environment()) is not None:
        last = record.notes().get(number)
        record.note(number, state, "" if last is None else last.folder, reason)
