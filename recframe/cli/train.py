"""`recframe train`: the Hydra app that trains and evaluates, and `resume=`, which continues a stopped run."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.hydra_app import run_app, run_job
from recframe.cli.run_folder import check_run, log_to
from recframe.cli.uncollected import uncollected
from recframe.cores import available_cores
from recframe.sweeps.side_by_side import runs_side_by_side

if TYPE_CHECKING:
    from recframe.config.compose.initialize import ConfigGroups

SUMMARY = "Train and evaluate: recframe train [group=choice] [key=value] [-m]."
HELP = """\
recframe train: train a recommender, evaluate it together with the reference policies, and write everything into a new folder.

Choose components and settings on the command line, as group=choice and key=value:

{groups}

Examples
  recframe train                                            the default run
  recframe train agent.gamma=0.9 environment.num_users=256
  recframe train experiment=movietweetings dataset.path=...  an experiment from conf/experiment/
  recframe train encoder=tfidf encoder@world_encoder=sentence_transformers  one encoder for the agent, another for the world
  recframe train -m seed=0,1,2                              a sweep: every combination of comma-separated values
  recframe train resume=RUN_FOLDER                          continue a stopped run; also with device=cpu, other_data=true
  recframe train debug=smoke ...                            everything once, in seconds

`recframe plugins` lists the components, `recframe plugins show KIND NAME` their settings.
`recframe train --cfg job` prints the composed config; `--hydra-help` is the help of Hydra itself."""


def train(context: typer.Context) -> None:
    """Run the Hydra app, or resume a run."""
    arguments = list(context.args)
    with user_errors_as_messages():
        if any(argument.startswith("resume=") for argument in arguments):
            _resume(arguments)
        else:
            from recframe.config import TRAIN

            run_app(TRAIN, arguments, train_job, show_train_help)


def train_job(cfg: Any) -> float:
    """Train by one config, which Hydra has composed, and return the objective for the sweeper. Launchers import it in other processes."""

    def run(folder: str, overrides: list[str], sweep: str | None) -> float:
        from hydra.core.hydra_config import HydraConfig

        with uncollected(keeps=True):
            from recframe import runner

        hydra_cfg = HydraConfig.get()
        callbacks = _search_callbacks(hydra_cfg, cfg) if sweep is not None else []
        jobs = 1 if sweep is None else runs_beside(hydra_cfg)
        how: dict[str, Any] = {"sweep": sweep, "choices": hydra_cfg.runtime.choices, "callbacks": callbacks, "side_by_side": jobs}
        objective = runner.run(cfg, folder, overrides=overrides, options=_options(hydra_cfg), **how).objective
        # result.json has null in place of a value that is not a number
        return math.nan if objective is None else objective

    return run_job(run)


def _options(hydra_cfg: Any) -> list[str]:
    """Hydra's options that chose the config, to be recorded."""
    from recframe.config import TRAIN

    folders = [source.path for source in hydra_cfg.runtime.config_sources if source.provider == "command-line"]
    name = hydra_cfg.job.config_name
    named = [] if name in (None, TRAIN.config_name) else ["--config-name", name]
    return [*(part for folder in folders for part in ("--config-dir", folder)), *named]


def runs_beside(hydra_cfg: Any) -> int:
    """The runs that share the cores of this machine with a job of a sweep, itself included.

    They are those of its launcher, and in a search of settings those of all processes that work on it.

    Parameters
    ----------
    hydra_cfg: Hydra's own section of the job.
    """
    from recframe.config.schema.search import TARGET

    processes = 1
    if hydra_cfg.sweeper.get("_target_") == TARGET:
        from recframe.sweeps.optuna.workers import Workers

        # none, if the job was sent here from another machine
        processes = max(Workers(Path(hydra_cfg.runtime.output_dir).parent).on_this_machine(), 1)
    return runs_side_by_side(hydra_cfg.launcher, available_cores(), processes)


def _search_callbacks(hydra_cfg: Any, cfg: Any) -> list[Any]:
    """The callbacks of a job of a search of settings; none for other jobs, which import no Optuna."""
    from recframe.config.schema.search import TARGET

    if hydra_cfg.sweeper.get("_target_") != TARGET:
        return []
    from recframe.sweeps.optuna.pruning import pruning_callbacks

    return pruning_callbacks(hydra_cfg, cfg)


def show_train_help(groups: ConfigGroups) -> None:
    """Print the help of the app, with the choices of every config group."""
    print(HELP.format(groups="\n".join(f"{group}: {', '.join(groups.choices(group))}" for group in groups.names())))


RESUME_SETTINGS = ("resume", "device", "other_data", "trust_remote_code", "send_variable")

SWITCH = ("true", "false")


def _resume(arguments: list[str]) -> None:
    from recframe.config import ConfigError, Consent

    given: dict[str, str] = {}
    others = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in RESUME_SETTINGS or "=" not in argument:
            others.append(argument)
        elif key in given:
            others.append(f"a second {key}=")
        else:
            given[key] = value
    if others:
        raise ConfigError(
            [
                "next to resume= only device=, other_data=, trust_remote_code= and send_variable= are allowed, because a run has its own "
                f"config; leave out {' '.join(others)}"
            ]
        )
    switches = {key: given.get(key, "false") for key in ("other_data", "trust_remote_code")}
    if wrong := [f"{key}: {value!r} is not allowed; it must be true or false" for key, value in switches.items() if value not in SWITCH]:
        raise ConfigError(wrong)
    folder, device = Path(given["resume"]), given.get("device")
    send_variable = given.get("send_variable")
    consent = Consent(switches["trust_remote_code"] == "true", send_variable, "resume")
    from recframe.tracking.config_of_run import NO_EDITS

    check_run(folder, device, use_cpu=f"recframe train resume={folder} device=cpu", consent=consent, accept_edits=NO_EDITS)
    with uncollected(keeps=True):
        from recframe import runner

    log_to(sys.stdout)
    runner.resume(folder, device, send_variable=send_variable, **{key: value == "true" for key, value in switches.items()})
