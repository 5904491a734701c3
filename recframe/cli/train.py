"""`recframe train`: the Hydra app that trains and evaluates, and `resume=`, which continues a stopped run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.hydra_app import run_app, run_job
from recframe.cli.run_folder import check_run, log_to

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
  recframe train resume=RUN_FOLDER                          continue a stopped run
  recframe train debug=smoke ...                            everything once, in seconds

`recframe plugins` lists the components, `recframe plugins show KIND NAME` their settings.
`recframe train --cfg job` prints the composed config; `--hydra-help` is the help of Hydra itself."""


def train(context: typer.Context) -> None:
    """Run the Hydra app, or resume a run."""
    arguments = list(context.args)
    resumed = [argument.partition("=")[2] for argument in arguments if argument.startswith("resume=")]
    with user_errors_as_messages():
        if resumed:
            _resume(resumed, [argument for argument in arguments if not argument.startswith("resume=")])
        else:
            from recframe.config import TRAIN

            run_app(TRAIN, arguments, train_job, show_train_help)


def train_job(cfg: Any) -> float:
    """Train by one config, which Hydra has composed, and return the objective for the sweeper. Launchers import it in other processes."""
    from recframe import runner

    def run(folder: str, overrides: list[str], sweep: str | None) -> float:
        return runner.run(cfg, folder, overrides=overrides, sweep=sweep).objective

    return run_job(run)


def show_train_help(groups: ConfigGroups) -> None:
    """Print the help of the app, with the choices of every config group."""
    print(HELP.format(groups="\n".join(f"{group}: {', '.join(groups.choices(group))}" for group in groups.names())))


def _resume(folders: list[str], others: list[str]) -> None:
    from recframe.config import ConfigError

    if others or len(folders) > 1:
        more = " ".join(others) or "a second resume="
        raise ConfigError([f"resume= must be the only argument, because a run is resumed with its own config; leave out {more}"])
    check_run(Path(folders[0]))
    from recframe import runner

    log_to(sys.stdout)
    runner.resume(Path(folders[0]))
