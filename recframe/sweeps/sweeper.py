"""What the sweepers of `recframe train -m` have in common: the sweep's folder, its jobs, and its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from recframe.errors import Stop
from recframe.sweeps.launching import JobLauncher
from recframe.sweeps.limits import Limits
from recframe.sweeps.one_process import OneProcessLauncher
from recframe.sweeps.outcomes import Outcome, finish, finished_before
from recframe.sweeps.plan import SweepPlan, current_plan, is_of_sweep
from recframe.sweeps.record import SweepRecord, recording
from recframe.sweeps.sweep_file import SWEEP_NAME, SweepFile, SweepFolderError, SweepJob, locked

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
NUMBERED = ("${hydra.job.num}", "${hydra:job.num}")
"""How `hydra.sweep.subdir` has the number of a job."""


class RecordedSweeper(Sweeper):
    """A sweeper whose jobs are in sweep.json before they start, are launched again after a breakdown, and are summed up at the end.

    A sweeper defines `run`, which calls `add_jobs` and `launch` as often as it needs.

    Attributes
    ----------
    plan: what the command line knows of the sweep.     folder: the sweep's.     file: the content of sweep.json.
    outcomes: what became of each job, by its number, as far as it is known.
    """

    hydra_context: HydraContext
    config: DictConfig
    launcher: Launcher

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of, and make the launcher."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.folder = Path(str(config.hydra.sweep.dir))
        typed: Any = OmegaConf.to_container(config.hydra.overrides.task)
        self.plan = current_plan() or SweepPlan(SweepFile(tuple(typed)))
        self.limits = _limits(config)
        self.launcher = self._make_launcher()
        self.file = self.plan.file
        self.outcomes: dict[int, Outcome] = {}

    def run(self, arguments: list[str], launcher: JobLauncher) -> None:
        """Run the jobs of the sweep; the folder is made and locked.

        arguments: the overrides of the command line, without Hydra's.
        """
        raise NotImplementedError

    def sweep(self, arguments: list[str]) -> Mapping[int, Outcome]:
        """Run the sweep, and return what became of its jobs, by number.

        Raises
        ------
        SweepFolderError: the folder holds another sweep, or another process runs this one.
        SweepFailed: a job has no result.
        Stop: the sweep was stopped by a signal.
        """
        with ExitStack() as stack:
            record = SweepRecord.of_environment() or stack.enter_context(recording())
            stack.enter_context(locked(self.folder))
            self.file = self._opened()
            launcher = JobLauncher(self.launcher, self.folder, record, self.limits, self.config.hydra.sweeper.get("max_batch_size"))
            try:
                self.run([text for text in arguments if not is_of_sweep(text)], launcher)
            except Stop as stop:
                self.outcomes |= launcher.outcomes
                self.plan.at_end(self.folder)
                finish(self.folder, self.file.jobs, self.outcomes, stop.exit_code - 128)
            self.outcomes |= launcher.outcomes
            self.plan.at_end(self.folder)
            finish(self.folder, self.file.jobs, self.outcomes, record.stop_signal)
        return self.outcomes

    def add_jobs(self, overrides: Iterable[Sequence[str]]) -> list[SweepJob]:
        """Give jobs their numbers and folders, write them to sweep.json, and return them."""
        added = []
        for number, one in enumerate(overrides, start=self.file.next_number):
            added.append(SweepJob(number, self._folder_of(number, one), tuple(one)))
        self.file = self.file.with_jobs(added)
        self.file.write(self.folder)
        return added

    def launch(self, jobs: Sequence[SweepJob], launcher: JobLauncher) -> Mapping[int, Outcome]:
        """Run those of the jobs that have no result yet, and return the outcome of each that has ended, by number."""
        before = {job.number: outcome for job in jobs if (outcome := finished_before(self.folder / job.folder)) is not None}
        self.outcomes |= before
        launcher.launch([job for job in jobs if job.number not in before])
        known = before | launcher.outcomes
        return {job.number: known[job.number] for job in jobs if job.number in known}

    def _opened(self) -> SweepFile:
        """What the folder holds of this sweep. The same command, started again in its folder, continues it."""
        if not (self.folder / SWEEP_NAME).exists():
            return self.plan.file
        there = SweepFile.read(self.folder)
        if not self.plan.resumed and there.command != self.plan.file.command:
            raise SweepFolderError(
                f"{self.folder}: already holds a sweep of another command; to add jobs to it, use sweep.resume={self.folder}, "
                "or choose another folder with hydra.sweep.dir="
            )
        return self.plan.file.with_jobs(there.jobs)

    def _folder_of(self, number: int, overrides: Sequence[str]) -> str:
        """The folder of a new job in that of the sweep."""
        raw: Any = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)
        subdir = str(raw["subdir"])
        for name in NUMBERED:
            subdir = subdir.replace(name, str(number))
        if "${" not in subdir:
            return subdir
        job = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(job):
            job.hydra.job.num = number
        return str(OmegaConf.select(job, "hydra.sweep.subdir"))

    def _make_launcher(self) -> Launcher:
        parts: dict[str, Any] = {"hydra_context": self.hydra_context, "task_function": self.task_function, "config": self.config}
        launcher: Launcher = Plugins.instance().instantiate_launcher(**parts)
        if self.limits and self.config.hydra.launcher._target_ == BASIC:
            # a process cannot end a job of its own and go on
            launcher = OneProcessLauncher()
            launcher.setup(**parts)
        return launcher


def _limits(config: DictConfig) -> Limits:
    section = OmegaConf.select(config, "sweep")
    return Limits() if section is None else Limits(section.job_timeout, section.memory_limit, section.grace_period)
