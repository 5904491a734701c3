"""A process that does a part of a run's training: `python -m recframe.runner.rank`, which only `recframe.runner.ranks` starts.

It reads its task from standard input, and answers on standard output: that it is ready, or why it failed. It evaluates, saves, logs and
prints nothing. It ends at once if its starter is gone.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.building.parts import assemble
from recframe.config import validate
from recframe.errors import Stop, UserError
from recframe.interfaces import UserDivision
from recframe.runner.hooks import plugin_callbacks
from recframe.runner.random_start import started_agent
from recframe.runner.ranks import LOST, process_group
from recframe.runner.stages import stages_of, train_stages
from recframe.runner.threads import set_threads
from recframe.training import Interruption, RankLost, Ranks


def do_task() -> int:
    """Do the task, and return the exit code."""
    # libraries must not write between the messages
    answers, sys.stdout = sys.stdout, sys.stderr
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    task = json.loads(sys.stdin.readline())
    folder = Path(task["folder"])
    interruption = Interruption(folder)

    def answer(**message: Any) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        with interruption.listening():
            threading.Thread(target=_end_with_starter, daemon=True).start()
            train = prepared_training(task, folder, interruption)
            # the others begin to wait for this process only now that it is sure to come
            answer(ready=True)
            train()
    except Stop as stop:
        return stop.exit_code
    except RankLost:
        # the process that is gone has the reason, or its starter knows of it
        return LOST
    except Exception as error:
        logging.exception("the training failed")
        where = folder / f"rank_{task['rank']}.log"
        answer(error=str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}; see {where}")
        return 1
    return 0


def prepared_training(task: dict[str, Any], folder: Path, interruption: Interruption) -> Callable[[], None]:
    """Build this process's part of the run. The function trains, until the training is over in all processes."""
    read = OmegaConf.create(task["config"])
    assert isinstance(read, DictConfig)
    cfg = validate(read)
    part = UserDivision(task["rank"], cfg.trainer.devices)
    set_threads(task["text_threads"])
    parts = assemble(cfg)
    set_threads(task["threads"])
    environment = parts.training_environment(part.ranks)
    resume_from = None if task["resume_from"] is None else Path(task["resume_from"])
    agent, _ = started_agent(parts, environment, resume_from)
    stages = stages_of(parts, agent, environment, part)
    callbacks = plugin_callbacks(cfg)

    def train() -> None:
        with process_group(part, task["store"]):
            train_stages(
                agent,
                stages,
                folder=folder / "checkpoints",
                resume_from=resume_from,
                seed=cfg.seed,
                callbacks=callbacks,
                interruption=interruption,
                ranks=Ranks(part),
            )

    return train


def _end_with_starter() -> None:
    """Wait until the starter closes the pipe, or is gone."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    # without the clean-up of libraries, which could wait for processes that are gone
    code = do_task()
    sys.stderr.flush()
    os._exit(code)
