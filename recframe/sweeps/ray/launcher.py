"""The launcher that Hydra calls for `hydra/launcher=ray`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from recframe.config.checks.memory import Machine
from recframe.errors import UserError
from recframe.sweeps.composed import composed_job
from recframe.sweeps.elsewhere import number_of, prepared
from recframe.sweeps.memory import warn_of_memory
from recframe.sweeps.remote import SharedTask
from recframe.sweeps.side_by_side import LOCAL_RAY

PREFIX = len("(job 1000 pid=1000000, ip=100.100.100.100) ")
"""Letters that Ray writes in front of a job's lines."""


class RayLauncher(Launcher):
    """Runs jobs as Ray's tasks. A process that Ray has started runs one job after another.

    Parameters are those of `recframe.sweeps.ray.config.RayLauncherConfig`.
    """

    def __init__(self, max_jobs: int | None, ray: DictConfig) -> None:
        self.max_jobs = max_jobs
        options: Any = OmegaConf.to_container(ray, resolve=True)
        self.init, self.remote = (_without_nulls(options[name]) for name in ("init", "remote"))

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of.

        Raises
        ------
        UserError: if Ray is not installed, or `max_jobs` is not positive.
        """
        if find_spec("ray") is None:
            raise UserError("hydra/launcher=ray: Ray is not installed; pip install 'recframe[ray]'")
        if self.max_jobs is not None and self.max_jobs < 1:
            raise UserError(f"hydra.launcher.max_jobs: {self.max_jobs} is not allowed; it must be at least 1, or null for no limit")
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.warned = False

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs, and return what became of each, in the order of `job_overrides`. A job that fails does not end the others.

        Raises
        ------
        UserError: if Ray cannot be started or reached, or refuses a setting.
        """
        from recframe.sweeps.ray.cluster import check_room, connect, fullest_machine

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        prepared(self.config)
        connect(self.init)
        # Ray is imported only now, as `connect` makes settings that it reads then
        from recframe.sweeps.ray.tasks import Tasks

        tasks = Tasks(SharedTask.of(self.hydra_context, self.task_function, self.config, PREFIX), self.remote, self.max_jobs)
        local = self.init.get("address", LOCAL_RAY) == LOCAL_RAY
        check_room(self.remote, local)
        if not (local or self.warned):
            # of a machine of its own, the sweeper has told
            at_most = min(len(job_overrides), self.max_jobs or len(job_overrides))
            self._warn_of_memory(job_overrides, *fullest_machine(self.remote, at_most))
        return tasks.run({initial_job_idx + place: list(overrides) for place, overrides in enumerate(job_overrides)})

    def _warn_of_memory(self, jobs: Sequence[Sequence[str]], together: int, machine: Machine) -> None:
        """Say that jobs may not fit into the memory of a machine of the cluster at a time, if it was not said before."""
        named = [(f"job {number_of(place, overrides)}", overrides) for place, overrides in enumerate(jobs)]

        def composed(overrides: Sequence[str]) -> DictConfig:
            return composed_job(self.hydra_context.config_loader, self.config, overrides)

        self.warned = warn_of_memory(named, composed, together, machine)


def _without_nulls(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
