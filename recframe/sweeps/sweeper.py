"""What the sweepers of `recframe train -m` have in common: the sweep's folder, its file, its limits and its launcher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from recframe.config.compose.shared_composition import SharedComposition
from recframe.sweeps.composed import composed_job
from recframe.sweeps.limits import Limits
from recframe.sweeps.one_process import OneProcessLauncher
from recframe.sweeps.outcomes import Outcome
from recframe.sweeps.plan import SweepPlan, current_plan
from recframe.sweeps.sweep_file import SweepFile, SweepFolderError
from recframe.tracking.resume_command import SWEEP_NAME

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class RecordedSweeper(Sweeper):
    """A sweeper whose jobs are in sweep.json before they start. It defines `sweep`.

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
        # its jobs are composed in this process, or in several that it is sent to
        self.hydra_context = HydraContext(SharedComposition.of(hydra_context.config_loader), hydra_context.callbacks)
        self.task_function, self.config = task_function, config
        self.folder = Path(str(config.hydra.sweep.dir))
        typed: Any = OmegaConf.to_container(config.hydra.overrides.task)
        self.plan = current_plan() or SweepPlan(SweepFile(tuple(typed)))
        self.limits = _limits(config)
        self.launcher = self._make_launcher()
        self.file = self.plan.file
        self.outcomes: dict[int, Outcome] = {}

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

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        """The config of a job with these overrides, without Hydra's section."""
        return composed_job(self.hydra_context.config_loader, self.config, overrides)

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
