"""The Hydra apps under `recframe train` and `recframe pretrain`. Like the command line, nothing heavy is imported before a job starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from recframe.errors import Stop, UserError
from recframe.plugin_loader import registry


def run_app(command: str, arguments: list[str]) -> None:
    """Run the app of that command with these arguments, which are Hydra's.

    Raises
    ------
    ConfigError: with every mistake in the arguments.
    """
    from recframe.config import APPS, ConfigError, find_mistakes, without_nulls
    from recframe.config.compose.multirun import left_to_jobs
    from recframe.config.compose.options import parse_options
    from recframe.config.compose.search_path import install_search_path
    from recframe.config.schema.store import store_schemas

    app = APPS[command]
    arguments = without_nulls(arguments)
    known, problems = parse_options(arguments, command)
    if not (known.help or known.hydra_help or known.shell_completion or known.info):
        problems += find_mistakes(known.overrides, known.config_dir, known.config_name, app)
    if problems:
        raise ConfigError(problems)
    if known.multirun:
        arguments = left_to_jobs(arguments, known.overrides)
    install_search_path()
    store_schemas(registry())
    # the program's name, as completion scripts and Hydra's help have it
    sys.argv = ["recframe", *arguments]
    import hydra

    hydra.main(version_base="1.3", config_path="pkg://recframe.conf", config_name=app.config_name)(JOBS[command])()


def train_job(cfg: Any) -> float:
    """One job of `recframe train`; importable, so that launchers can send it to other processes. Returns the sweeper's objective."""
    from recframe import runner

    def run(folder: str, overrides: list[str], sweep: str | None) -> float:
        return runner.run(cfg, folder, overrides=overrides, sweep=sweep).objective

    return _job(run)


def pretrain_job(cfg: Any) -> float:
    """One job of `recframe pretrain`. Returns the sweeper's objective, the perplexity on held-out texts."""
    from recframe.pretraining import pretrain

    def run(folder: str, overrides: list[str], sweep: str | None) -> float:
        cfg.pretrain.folder = folder  # the job's own in a sweep
        try:
            return pretrain(cfg, overrides=overrides, sweep=sweep).perplexity_after
        except BaseException:
            with suppress(OSError):
                Path(folder).rmdir()  # the empty one that Hydra made
            raise

    return _job(run)


def _job(run: Callable[[str, list[str], str | None], float]) -> float:
    """Call `run` with the job's folder, its overrides and the sweep's name, if it is a job of one."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra_cfg = HydraConfig.get()
    sweep = Path(hydra_cfg.sweep.dir).name if hydra_cfg.mode == RunMode.MULTIRUN else None
    try:
        return run(hydra_cfg.runtime.output_dir, list(hydra_cfg.overrides.task), sweep)
    except UserError as error:
        if sweep is None:
            # Hydra would add a line of its own; in a sweep it has to know, and goes on with the next job
            raise Stop(str(error), error.exit_code) from error
        raise


JOBS: Mapping[str, Callable[[Any], float]] = {"train": train_job, "pretrain": pretrain_job}
