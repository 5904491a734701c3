"""Jobs one after another in a process of their own, which can be ended at a limit: what `hydra/launcher=basic` is with limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


class OneProcessLauncher(Launcher):
    """Runs all jobs in one process, so that its imports are made once."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what the jobs are made of."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs.

        Raises
        ------
        TerminatedWorkerError: the process has died.
        """
        from joblib.externals.loky import get_reusable_executor

        setup_globals()
        state = Singleton.get_state()
        executor = get_reusable_executor(max_workers=1, timeout=None)
        return [
            executor.submit(_run, initial_job_idx + i, list(overrides), self.hydra_context, self.task_function, self.config, state).result()
            for i, overrides in enumerate(job_overrides)
        ]


def _run(
    number: int,
    overrides: list[str],
    hydra_context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    singletons: Mapping[Any, Any],
) -> JobReturn:
    """Run one job, as Hydra's joblib launcher does it."""
    setup_globals()
    Singleton.set_state(singletons)
    job_config = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(job_config):
        job_config.hydra.job.id = job_config.hydra.job.num = number
    return run_job(
        hydra_context=hydra_context,
        config=job_config,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
