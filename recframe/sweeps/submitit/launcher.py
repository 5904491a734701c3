"""The launchers that Hydra calls for `hydra/launcher=submitit_slurm` and `submitit_local`.

Those of hydra-submitit-launcher end a sweep at the first job whose process is lost, leave jobs in the queue when they are stopped, and
start all jobs at once on this machine. Their settings are the same.
"""

from __future__ import annotations

import logging
import subprocess
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar

from hydra.core.utils import JobReturn, configure_log, filter_overrides, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from recframe.errors import UserError
from recframe.sweeps.elsewhere import lost, not_started, notes, number_of, prepared, sweep_stopped
from recframe.sweeps.remote import SharedTask

POLL_SECONDS = 0.5

BASE = {"timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name", "stderr_to_stdout"}
"""Settings that submitit has for every queue; the others begin with the name of the queue."""

log = logging.getLogger(__name__)


class QueueLauncher(Launcher):
    """Hands jobs to a queue by submitit, and waits for them.

    Parameters are those of the launcher's config; those of submitit are passed on.
    """

    queue: ClassVar[str]
    """Its name in submitit."""

    def __init__(self, submitit_folder: str, **options: Any) -> None:
        self.folder = submitit_folder
        plain = {name: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value for name, value in options.items()}
        self.options = {name: value for name, value in plain.items() if value is not None}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs, and return what became of each, in the order of `job_overrides`. A job that fails does not end the others.

        Raises
        ------
        UserError: if there is no such queue here, or it refuses a setting.
        """
        from recframe.sweeps.submitit.job import QueuedJob

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        prepared(self.config)
        self.jobs = {initial_job_idx + place: list(overrides) for place, overrides in enumerate(job_overrides)}
        self.numbers = {job: number_of(job, overrides) for job, overrides in self.jobs.items()}
        self._check_lines()
        self.function = QueuedJob(SharedTask.of(self.hydra_context, self.task_function, self.config))
        log.info("Launching %d jobs with submitit (%s), output in %s", len(self.jobs), self.queue, self.folder)
        try:
            executor = self._executor()
        except (AssertionError, NameError, RuntimeError, TypeError, ValueError) as error:
            raise UserError(f"hydra/launcher=submitit_{self.queue}: {' '.join(str(error).split())}") from error
        return self._run(executor)

    @abstractmethod
    def submit(self, executor: Any, jobs: Mapping[int, Sequence[str]], running: int) -> dict[int, Any]:
        """Hand over as many of the jobs, given as overrides by number, as may run beside those that do; returns them as submitit's."""

    def _check_lines(self) -> None:
        """Refuse line breaks in what becomes a comment of the script that a queue runs: the next line would be run. `setup` has commands.

        Raises
        ------
        UserError: with the setting.
        """
        for name, value in {"submitit_folder": self.folder, **self.options}.items():
            texts = [*value, *value.values()] if isinstance(value, dict) else [value]
            if name != "setup" and any(not text.isprintable() for text in texts if isinstance(text, str)):
                raise UserError(f"hydra.launcher.{name}: {value!r} has a line break, which a queue's script would take for a command")

    def _executor(self) -> Any:
        import submitit

        options = {name if name in BASE else f"{self.queue}_{name}": value for name, value in self.options.items()}
        timeouts = {name: options.pop(name) for name in [f"{self.queue}_max_num_timeout"] if name in options}
        options.pop("local_array_parallelism", None)
        executor = submitit.AutoExecutor(self.folder, cluster=self.queue, **timeouts)
        executor.update_parameters(**options)
        return executor

    def _run(self, executor: Any) -> list[JobReturn]:
        waiting, running, done = deque(self.jobs), dict[int, Any](), dict[int, JobReturn]()
        try:
            while waiting or running:
                if sweep_stopped():
                    done |= {job: not_started(self.numbers[job], self.jobs[job]) for job in waiting}
                    waiting.clear()
                    self._cancel_queued(running, done)
                for job, handle in self.submit(executor, {job: self.jobs[job] for job in waiting}, len(running)).items():
                    log.info("\t#%d : %s (%s)", self.numbers[job], " ".join(filter_overrides(self.jobs[job])), handle.job_id)
                    waiting.remove(job)
                    running[job] = handle
                for job in [job for job, handle in running.items() if handle.done()]:
                    done[job] = self._result(job, running.pop(job))
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            # an error or a second signal ends the jobs that still run
            for handle in running.values():
                handle.cancel(check=False)
        return [done[job] for job in self.jobs]

    def _result(self, job: int, handle: Any) -> JobReturn:
        from submitit.core.utils import UncompletedJobError

        try:
            return handle.results()[0]  # type: ignore[no-any-return]
        except UncompletedJobError:
            place = f"job {handle.job_id} of the queue, {handle.state}; its output: {handle.paths.stderr}"
            return lost(self.numbers[job], self.jobs[job], f"the process of the job was lost ({place})")

    def _cancel_queued(self, running: dict[int, Any], done: dict[int, JobReturn]) -> None:
        """Cancel the jobs that have not started. Those that run notice by the record that they are to stop."""
        known = notes()
        for job in [job for job in running if self.numbers[job] not in known]:
            running.pop(job).cancel(check=False)
            done[job] = not_started(self.numbers[job], self.jobs[job])


class SlurmLauncher(QueueLauncher):
    """A job array of SLURM's."""

    queue = "slurm"

    def submit(self, executor: Any, jobs: Mapping[int, Sequence[str]], running: int) -> dict[int, Any]:
        """Hand over all jobs, as one array; SLURM itself limits how many run."""
        return dict(zip(jobs, executor.map_array(self.function, list(jobs), list(jobs.values())), strict=True)) if jobs else {}


class LocalLauncher(QueueLauncher):
    """Processes of this machine, each for one job."""

    queue = "local"

    def submit(self, executor: Any, jobs: Mapping[int, Sequence[str]], running: int) -> dict[int, Any]:
        """Start jobs while fewer than `array_parallelism` run."""
        most: Any = self.options.get("array_parallelism", 1)
        room = max(most - running, 0)
        with out_of_the_terminal():
            return {job: executor.submit(self.function, job, jobs[job]) for job in list(jobs)[:room]}


@contextmanager
def out_of_the_terminal() -> Iterator[None]:
    """Let processes that submitit starts on this machine have a session of their own within the block.

    Each job has a process of submitit's beside it, which would receive the Ctrl-C of the terminal, too, and kill the job a second later,
    before it has saved its checkpoint. The jobs are told by the sweep's record.
    """
    from submitit.local import local

    module: Any = local
    before, module.subprocess = module.subprocess, SimpleNamespace(Popen=partial(subprocess.Popen, start_new_session=True))
    try:
        yield
    finally:
        module.subprocess = before
