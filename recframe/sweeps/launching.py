"""Launching of jobs by any of Hydra's launchers, again where a process or the launcher itself has broken down."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from recframe.config.compose.quoting import quoted_value
from recframe.errors import JobFailed, JobStopped, Pruned, UserError
from recframe.sweeps.failure import leave_failure
from recframe.sweeps.limits import VARIABLE as LIMITS_VARIABLE
from recframe.sweeps.limits import Limits
from recframe.sweeps.outcomes import Outcome
from recframe.sweeps.record import ENDED, FAILED, FINISHED, NOT_STARTED, NUMBER_VARIABLE, PRUNED, RUNNING, STOPPED, SweepRecord
from recframe.sweeps.sweep_file import SweepJob
from recframe.tracking.failure import reason_of
from recframe.tracking.folder import LOCK_NAME

UNLOCK_SECONDS = 60.0
"""How long processes that were told to end, or were killed, may need to leave the folders of their jobs."""

log = logging.getLogger(__name__)


class JobLauncher:
    """Launches the jobs of one sweep until each has an outcome.

    A launcher whose worker has died may end all others with it, and does not say which it was. So all jobs that ran at that moment are
    tried once more, each by itself, after the others. Those that then die are reported.

    Parameters
    ----------
    folder: the sweep's.     record: what jobs tell; it is the one of `recframe.sweeps.record.recording` around the sweep.
    batch_size: the largest number of jobs that are handed to the launcher at a time; None: all.
    """

    def __init__(self, launcher: Launcher, folder: Path, record: SweepRecord, limits: Limits, batch_size: int | None = None) -> None:
        self.launcher, self.folder, self.record, self.limits = launcher, folder, record, limits
        self.batch_size = batch_size
        self.outcomes: dict[int, Outcome] = {}
        """What is known so far, by the jobs' numbers; also if `launch` ends in an exception."""

    def launch(self, jobs: Sequence[SweepJob]) -> Mapping[int, Outcome]:
        """Run these jobs, and return what became of them, by number. It ends early if the sweep is to stop.

        Raises
        ------
        Exception: what the launcher raises, if it does not start any job.
        Stop: a signal ends the sweep at once.
        """
        self._wait_for_folders(jobs)
        waiting, suspects, fruitless = list(jobs), list[SweepJob](), 0
        while (waiting or suspects) and self.record.stop_signal is None:
            alone = not waiting
            batch = suspects[:1] if alone else waiting[: self.batch_size]
            waiting, suspects = (waiting, suspects[1:]) if alone else (waiting[len(batch) :], suspects)
            error = self._launch_once(batch)
            left = [job for job in batch if job.number not in self.outcomes]
            if error is None or not left:
                continue
            reason = str(error).partition("\n")[0]
            log.warning("the launcher broke down, and what is missing is launched again: %s: %s", type(error).__name__, reason)
            notes = self.record.notes()
            running = [job for job in left if job.number in notes and notes[job.number].state == RUNNING]
            if alone:
                self._note_crash(batch[0], f"its process ended unexpectedly, as it does when memory runs out ({type(error).__name__})")
                continue
            fruitless = 0 if running or len(left) < len(batch) else fruitless + 1
            if fruitless > 1:
                raise error
            culprits = self._hung(running)
            for job in culprits:
                self._note_crash(job, f"{self.limits.time_exceeded()} and did not stop")
            suspects += [] if culprits else running
            others = [job for job in left if job not in culprits and job not in suspects]
            waiting = others + waiting
            self._wait_for_folders(running)
        return self.outcomes

    def _launch_once(self, batch: Sequence[SweepJob]) -> Exception | None:
        """Launch jobs and take down what became of them, as far as it is known. Returns the launcher's error."""
        for job in batch:
            self.record.forget(job.number)
        try:
            returned = self.launcher.launch([self._overrides(job) for job in batch], initial_job_idx=batch[0].number)
        except UserError:
            # a setting of the launcher's, which would be wrong again
            self._take_notes(batch)
            raise
        except Exception as error:
            self._take_notes(batch)
            return error
        except BaseException:
            self._take_notes(batch)
            raise
        for job, one in zip(batch, returned, strict=True):
            self.outcomes[job.number] = self._outcome(job, one)
        return None

    def _overrides(self, job: SweepJob) -> list[str]:
        """The overrides of a job, with its folder, its number and its limits, which launchers pass on by Hydra's settings."""
        variables = {NUMBER_VARIABLE: str(job.number)} | ({LIMITS_VARIABLE: self.limits.written} if self.limits else {})
        own = [f"hydra.job.env_set.{name}='{value}'" for name, value in variables.items()]
        return [*job.overrides, f"hydra.sweep.subdir={quoted_value(job.folder)}", *own]

    def _outcome(self, job: SweepJob, returned: JobReturn) -> Outcome:
        if returned.status == JobStatus.COMPLETED:
            return Outcome(FINISHED, objective=returned.return_value)
        error = returned._return_value
        if isinstance(error, JobStopped):
            note = self.record.notes().get(job.number)
            return Outcome(NOT_STARTED if note is not None and note.state == NOT_STARTED else STOPPED, str(error))
        if isinstance(error, Pruned):
            return Outcome(PRUNED, str(error))
        return Outcome(FAILED, str(error) if isinstance(error, JobFailed) else reason_of(error))

    def _take_notes(self, batch: Sequence[SweepJob]) -> None:
        """Take down what jobs have told, where the launcher returns nothing."""
        notes = self.record.notes()
        for job in batch:
            note = notes.get(job.number)
            if note is None:
                continue
            if note.state == ENDED:
                self._note_crash(job, note.reason)
            elif note.state != RUNNING:
                self.outcomes[job.number] = Outcome(note.state, note.reason, note.objective)

    def _hung(self, running: Sequence[SweepJob]) -> list[SweepJob]:
        """The jobs that were ended from outside of Python because they did not stop after their time."""
        notes = self.record.notes()
        return [job for job in running if self.limits.hung(notes[job.number].since)]

    def _note_crash(self, job: SweepJob, reason: str) -> None:
        self.outcomes[job.number] = Outcome(FAILED, reason)
        leave_failure(self.folder / job.folder, reason)

    def _wait_for_folders(self, jobs: Sequence[SweepJob]) -> None:
        """Wait until no process of before, which may be saving a checkpoint, uses the folders of jobs. If one stays, its job says so."""
        latest = time.monotonic() + UNLOCK_SECONDS
        for job in jobs:
            path = self.folder / job.folder / LOCK_NAME
            if path.exists():
                with suppress(Timeout, OSError, NotImplementedError):
                    FileLock(path).acquire(timeout=max(latest - time.monotonic(), 0)).lock.release()
