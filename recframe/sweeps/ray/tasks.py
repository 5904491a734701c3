"""Jobs as Ray's tasks: submitted, waited for, and started again when their process is lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

import ray
from hydra.core.utils import JobReturn, filter_overrides
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from recframe.errors import UserError
from recframe.sweeps.elsewhere import ended_at_limit, lost, not_started, notes, number_of, sweep_stopped
from recframe.sweeps.remote import SharedTask, failed, run_in_process, sendable

POLL_SECONDS = 1.0
"""How soon a signal is noticed at the latest."""

log = logging.getLogger(__name__)


class Tasks:
    """The jobs of one launch.

    Parameters
    ----------
    shared: what all jobs have in common.     options: the options of `ray.remote`; `max_retries` is for each job.
    most: the largest number of jobs at a time, or None.

    Raises
    ------
    UserError: if Ray refuses an option.
    """

    def __init__(self, shared: SharedTask, options: Mapping[str, Any], most: int | None) -> None:
        self.max_retries = int(options.get("max_retries", 0))
        self.most = most
        self.shared = ray.put(shared)
        try:
            # Ray starts tasks again in silence, and without limit where memory ran out
            self.task = ray.remote(**{**options, "max_retries": 0})(run_in_process)
        except (TypeError, ValueError) as error:
            raise UserError(f"hydra.launcher.ray.remote: {error}") from error
        self.jobs: dict[int, list[str]] = {}
        self.numbers: dict[int, int] = {}
        self.running: dict[Any, int] = {}
        self.retries: dict[int, int] = {}

    def run(self, jobs: Mapping[int, list[str]]) -> list[JobReturn]:
        """Run the jobs, given as overrides by the launcher's number, and return what became of each, in their order."""
        self.jobs = dict(jobs)
        self.numbers = {job: number_of(job, overrides) for job, overrides in jobs.items()}
        waiting, done = deque(self.jobs), dict[int, JobReturn]()
        log.info("Launching %d jobs with Ray", len(self.jobs))
        try:
            while waiting or self.running:
                if sweep_stopped():
                    done |= {job: not_started(self.numbers[job], self.jobs[job]) for job in waiting}
                    waiting.clear()
                    self._cancel_queued()
                while waiting and (self.most is None or len(self.running) < self.most):
                    self._submit(waiting.popleft())
                ended = ray.wait(list(self.running), timeout=POLL_SECONDS)[0] if self.running else []
                for reference in ended:
                    job = self.running.pop(reference)
                    if (returned := self._result(job, reference)) is None:
                        waiting.appendleft(job)
                    else:
                        done[job] = returned
        finally:
            # an error or a second signal ends the jobs that still run
            for reference in self.running:
                ray.cancel(reference, force=True)
        return [done[job] for job in self.jobs]

    def _submit(self, job: int) -> None:
        log.info("\t#%d : %s", self.numbers[job], " ".join(filter_overrides(self.jobs[job])))
        task = self.task.options(name=f"job {self.numbers[job]}")
        self.running[task.remote(job, self.jobs[job], self.shared)] = job

    def _result(self, job: int, reference: Any) -> JobReturn | None:
        """What became of a job that ended, or None if it is to be started again."""
        number, overrides = self.numbers[job], self.jobs[job]
        try:
            return ray.get(reference)  # type: ignore[no-any-return]
        except RayTaskError as error:
            # its function could not be called, such as where a package is missing
            return failed(overrides, sendable(error.cause or error))
        except TaskCancelledError:
            return not_started(number, overrides)
        except RayError as error:
            reason = str(error).strip().partition("\n")[0]
            tried = self.retries.get(job, 0)
            # a job that ended itself at a limit would reach it again
            if tried >= self.max_retries or sweep_stopped() or ended_at_limit(number, overrides) is not None:
                return lost(number, overrides, f"the process of the job was lost: {reason}")
            self.retries[job] = tried + 1
            log.warning("the process of job %d was lost; it is started again (%d of %d): %s", number, tried + 1, self.max_retries, reason)
            return None

    def _cancel_queued(self) -> None:
        """Cancel the jobs that have no process yet. Those that run notice by the record that they are to stop."""
        known = notes()
        for reference, job in self.running.items():
            if self.numbers[job] not in known:
                ray.cancel(reference, force=False)
