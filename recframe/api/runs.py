"""Runs from Python: the same as `recframe train`, without a trace in the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from recframe import runner
from recframe.api.configs import choices_of, compose, new_folder, overrides_of
from recframe.api.process_state import state_of_process_kept
from recframe.console import quiet_output
from recframe.errors import Stop, UserError
from recframe.runner.results import RunResult

_running = threading.Lock()


class Interrupted(KeyboardInterrupt):
    """A run was interrupted by Ctrl-C, or by a notebook's button; the message says how to resume it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show in place of a traceback."""
        return [f"recframe: {self}"]


def run(config: DictConfig | Sequence[str] = (), *, folder: str | Path | None = None, quiet: bool = True) -> RunResult:
    """Train and evaluate, as `recframe train` does: the numbers, and the files in the run's folder, are the same.

    `result = recframe.run(["agent=dqn", "debug=smoke"])`

    Nothing of the run stays in the process: signal handlers, logging, generators of random numbers and Hydra's state are afterwards as
    they were. One run at a time is possible in a process.

    Parameters
    ----------
    config: what `recframe.compose` returned, or the overrides themselves.
    folder: the run's folder; None: a new one in `runs/`, named after the time (`hydra.run.dir`). A folder that holds this very run goes on:
        an interrupted run is resumed, and of a finished one the result is returned. One that holds another run is refused.
    quiet: print nothing and show no progress. If false, the log, a progress bar and the tables are shown as on the command line.

    Raises
    ------
    recframe.errors.UserError: what the command line would say: ConfigError with all mistakes, DataError, RunFolderError, ...
    Interrupted: the run was interrupted. It can be resumed.
    """
    cfg = config if isinstance(config, DictConfig) else compose(config)
    place = new_folder(cfg) if folder is None else Path(folder).expanduser()
    with _one_run(quiet):
        return runner.run(cfg, place, overrides=overrides_of(cfg), choices=choices_of(cfg))


def resume(
    folder: str | Path,
    *,
    device: str | None = None,
    other_data: bool = False,
    trust_remote_code: bool = False,
    send_variable: str | None = None,
    quiet: bool = True,
) -> RunResult:
    """Continue an interrupted run, as `recframe train resume=FOLDER` does. On a CPU, the result is that of a run without a stop.

    Parameters
    ----------
    device, other_data, trust_remote_code, send_variable: as on the command line.   quiet: as for `recframe.run`.

    Raises
    ------
    recframe.errors.UserError: there is no such run, or it cannot be resumed here.
    Interrupted: the run was interrupted again.
    """
    with _one_run(quiet):
        accepted = {"other_data": other_data, "trust_remote_code": trust_remote_code}
        return runner.resume(Path(folder).expanduser(), device, send_variable=send_variable, **accepted)


@contextmanager
def _one_run(quiet: bool) -> Iterator[None]:
    """The block in which a run goes on, alone in this process."""
    if not _running.acquire(blocking=False):
        raise UserError("another run is going on in this process, and they would share their random numbers; use a process for each run")
    try:
        with state_of_process_kept(quiet), quiet_output(quiet):
            yield
    except Stop as stop:
        number = stop.exit_code - 128
        if number == signal.SIGINT:
            raise Interrupted(str(stop)) from None
        # the process was asked to end: by its own handler, which is in place again
        signal.raise_signal(number)
        raise
    finally:
        _running.release()
