"""A job of a sweep in a process that another system has started, maybe on another machine: what it is sent, and what it returns."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from recframe.console import set_width
from recframe.errors import UserError
from recframe.signals import STOP_SIGNALS

OWN_VARIABLES = ("RECFRAME_", "WANDB_", "HYDRA_", "HF_")
"""Beginnings of the variables that jobs on other machines get from the process that the sweep was started in."""
SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""What the names of variables contain that are not sent; a cluster's machines have their own."""
NARROWEST = 40


@dataclass(frozen=True)
class SharedTask:
    """What all jobs of a sweep have in common, as the process has it in which the sweep was started.

    cwd: its working directory, from which relative paths start.     environment: its variables, as far as jobs need them.
    width: letters in the lines that a job prints; None: as in a file.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    singletons: Mapping[Any, Any]
    cwd: str
    environment: Mapping[str, str]
    width: int | None

    @classmethod
    def of(cls, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig, prefix: int | None = None) -> SharedTask:
        """That of this process.

        Parameters
        ----------
        prefix: letters in front of each line of a job's in the terminal of this process; None: it shows no such lines.
        """
        names = [name for name in os.environ if name.startswith(OWN_VARIABLES) and not any(secret in name for secret in SECRETS)]
        environment = {name: os.environ[name] for name in names}
        if cache := environment.get("RECFRAME_CACHE"):
            environment["RECFRAME_CACHE"] = str(Path(cache).expanduser().absolute())
        terminal = prefix is not None and sys.stdout.isatty()
        width = max(NARROWEST, shutil.get_terminal_size().columns - (prefix or 0)) if terminal else None
        return cls(hydra_context, task_function, config, Singleton.get_state(), str(Path.cwd()), environment, width)


def run_in_process(job: int, overrides: Sequence[str], shared: SharedTask, job_id: str | None = None) -> JobReturn:
    """Run one job in this process. Its failure is part of what is returned.

    Parameters
    ----------
    job: its number in the sweep.     job_id: what it is called in `hydra.job.id`; by default the name of the app and the number.
    """
    try:
        _become(shared)
        returned = _run(job, overrides, shared, job_id)
        if returned.status is JobStatus.FAILED:
            returned._return_value = sendable(returned._return_value)
        return returned
    except Exception as error:  # whatever prevents a job, the other jobs go on
        return failed(overrides, sendable(error))


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """The result of a job that this error ended."""
    return JobReturn(overrides=filter_overrides(overrides), status=JobStatus.FAILED, _return_value=error)


def sendable(error: BaseException) -> BaseException:
    """The error, or a plain one with its text if it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  what was pickled here
    except Exception:  # pickling calls what the error's class brings
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _become(shared: SharedTask) -> None:
    """Give this process the variables, the folder and the width of the process that the sweep was started in."""
    # processes of Ray's begin with these blocked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    os.environ.update(shared.environment)
    try:
        os.chdir(shared.cwd)
    except OSError as error:
        host = socket.gethostname()
        raise UserError(
            f"{shared.cwd}: cannot be entered on {host} ({error.strerror}); start a sweep on a cluster in a folder that its machines share"
        ) from None
    set_width(shared.width)


def _run(job: int, overrides: Sequence[str], shared: SharedTask, job_id: str | None) -> JobReturn:
    # as Hydra's launchers do it
    setup_globals()
    Singleton.set_state(dict(shared.singletons))
    config = shared.hydra_context.config_loader.load_sweep_config(shared.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id = job_id or f"{config.hydra.job.name}_{job}"
        config.hydra.job.num = job
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=shared.hydra_context,
        task_function=shared.task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
