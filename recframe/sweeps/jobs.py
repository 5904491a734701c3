"""A job of a sweep in a process of its own: it stops with the sweep, and with the process that the sweep was started in."""

from __future__ import annotations

import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from recframe.errors import JobAtLimit, JobFailed, JobStopped, Pruned, Stop
from recframe.signals import any_received, forget_received, handle_stop_signals
from recframe.sweeps.failure import failure_left
from recframe.sweeps.limits import Limits, Watchdog
from recframe.sweeps.record import ENDED, NOT_STARTED, NUMBER_VARIABLE, SweepRecord
from recframe.tracking.early_end import STOPPED_RUN
from recframe.tracking.failure import reason_of
from recframe.tracking.folder import LOG_NAME

POLL_SECONDS = 0.5


class Worker:
    """The process that a launcher runs jobs in: it watches the sweep, and turns signals into the end of its current job.

    The process itself goes on after a job was stopped, because launchers take the end of a process for a crash and kill the others.
    """

    def __init__(self, record: SweepRecord) -> None:
        self.record = record
        self.parent_is_ours = os.getppid() == record.pid
        self.signal_number: int | None = None
        self.job: int | None = None
        self.watchdog: Watchdog | None = None

    def start(self) -> None:
        """Handle signals from now on, and watch the sweep in a thread."""
        self.record.note_worker()
        handle_stop_signals(self._receive)
        threading.Thread(target=self._watch, name="sweep", daemon=True).start()

    def run(self, job: int, folder: str, function: Callable[[], float]) -> float:
        """Call `function` as the job of this number.

        Raises
        ------
        JobStopped: the sweep is to stop, or the job has reached a limit.
        JobFailed: in place of any other error.
        """
        if self.signal_number is not None or self.record.stop_signal is not None:
            self.record.note(job, NOT_STARTED, folder)
            raise JobStopped("the sweep was stopped before this job started")
        forget_received()
        self.watchdog = Watchdog(Limits.of_environment(), Path(folder) / LOG_NAME, lambda why: self.record.note(job, ENDED, folder, why))
        self.job = job
        try:
            with self.record.following(job, folder) as end, failure_left(folder):
                end.objective = self._watched(function, self.watchdog)
                return end.objective
        except (JobStopped, Pruned):
            raise
        except Exception as error:
            raise JobFailed(reason_of(error)) from None
        finally:
            self.job = None
            if self._orphaned():
                # there is no launcher left to give the result to
                os._exit(128 + (self.signal_number or signal.SIGTERM))

    def _watched(self, function: Callable[[], float], watchdog: Watchdog) -> float:
        try:
            with watchdog.watching():
                return function()
        except Stop as stop:
            if watchdog.reason is None:
                self.signal_number = self.signal_number or stop.exit_code - 128
            else:
                with suppress(OSError):  # a full disk, or no folder yet
                    STOPPED_RUN.write(watchdog.log.parent, watchdog.reason)
                raise JobAtLimit(watchdog.reason) from None
            raise JobStopped(str(stop)) from None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Outside a run, which has handlers of its own."""
        at_limit = self.watchdog is not None and self.watchdog.reason is not None
        if not at_limit:
            self.signal_number = number
        if self.job is not None:
            raise Stop(f"stopped by {signal.Signals(number).name} before the training started", 128 + number)

    def _watch(self) -> None:
        while not self._orphaned():
            time.sleep(POLL_SECONDS)
            if self.record.stop_signal is not None and not any_received():
                # received in the main thread: by the run, if there is one
                os.kill(os.getpid(), self.record.stop_signal or signal.SIGTERM)
        if self.job is not None and not any_received():
            os.kill(os.getpid(), signal.SIGTERM)
        while self.job is not None:
            time.sleep(POLL_SECONDS)
        os._exit(128 + signal.SIGTERM)

    def _orphaned(self) -> bool:
        """Whether the process that the sweep was started in is gone."""
        if self.parent_is_ours:
            return os.getppid() != self.record.pid
        if self.record.host != socket.gethostname():
            return False
        try:
            os.kill(self.record.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


@functools.cache
def _worker(record: SweepRecord) -> Worker:
    """The one worker of this process; it is started at the first job."""
    worker = Worker(record)
    worker.start()
    return worker


def in_sweep(job: int, folder: str, function: Callable[[], float]) -> float:
    """Call `function`, which runs a job of a sweep, and record what became of it.

    In the process that the sweep was started in, signals are the run's own. In any other process the job stops with the sweep, and at the
    limits of `recframe.sweeps.limits`.

    Parameters
    ----------
    job: the launcher's number of the job, which counts if the sweeper has given it none.

    Raises
    ------
    JobStopped: the job runs in a process of its own, and the sweep is to stop, or the job has reached a limit.
    JobFailed: the job runs in a process of its own, in place of any other error.
    """
    record = SweepRecord.of_environment()
    if record is None:
        return function()
    job = int(os.environ.get(NUMBER_VARIABLE) or job)
    if not record.is_parent:
        return _worker(record).run(job, folder, function)
    with record.following(job, folder) as end, failure_left(folder):
        end.objective = function()
        return end.objective
