"""What runs in the process of a queued job. It saves a checkpoint before it is queued again, and then goes on in its own folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import submitit
from hydra.core.utils import JobReturn

from recframe.errors import JobAtLimit, JobStopped
from recframe.sweeps.elsewhere import sweep_stopped
from recframe.sweeps.remote import SharedTask, run_in_process


class QueuedJob:
    """A job as submitit sends and calls it.

    submitit handles a warning, by default SIGUSR2, that the job's time is almost over or that it makes way for others: it queues the job
    again and ends the process at once. Here, the run is told first, by a signal that it saves a checkpoint at.
    """

    def __init__(self, shared: SharedTask) -> None:
        self.shared = shared

    def __call__(self, job: int, overrides: Sequence[str]) -> JobReturn:
        """Run the job of this number."""
        queue = submitit.JobEnvironment()
        warning = TimeWarning(getattr(signal, f"SIG{queue.USR_SIG}"))
        returned = run_in_process(job, overrides, self.shared, queue.job_id)
        error = returned._return_value
        if isinstance(error, JobStopped) and not isinstance(error, JobAtLimit) and not sweep_stopped():
            # submitit takes what is returned for the job's result; this job has none yet
            if warning.received:
                warning.queue_again()
            sys.exit(128 + signal.SIGTERM)
        return returned

    def checkpoint(self, job: int, overrides: Sequence[str]) -> Any:
        """What submitit is to call when the job is started again."""
        return submitit.helpers.DelayedSubmission(self, job, overrides)


class TimeWarning:
    """submitit's warning signal, passed on to the run as SIGUSR1."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.received = False
        self.handler: Callable[[int, FrameType | None], Any] | Any = signal.getsignal(number)
        signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            # there is nothing to save yet
            self.queue_again()
        os.kill(os.getpid(), signal.SIGUSR1)

    def queue_again(self) -> None:
        """Do what submitit does: queue the job again, and end the process."""
        self.handler(self.number, None)
