"""A participant's runs of a task: one for each of its seeds, and a file with their results that anyone can send. Imports torch."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from recframe import runner
from recframe.bench.generated_log import write_log
from recframe.bench.results import FORMAT
from recframe.bench.settings import compose_runs, learning_settings, recorded_overrides
from recframe.bench.task import BenchTask, TaskError
from recframe.config import Composition, recorded, validate
from recframe.tracking import RunFolder, atomic_write, read_result

log = logging.getLogger(__name__)

RESULTS_NAME = "bench.json"


def run_task(task: BenchTask, own: Sequence[str], folder: Path) -> Path:
    """Run a task with a participant's settings, and write the file of its results, whose path is returned.

    A folder whose runs were stopped goes on where they were; runs that are finished are read.

    Parameters
    ----------
    own: overrides of `recframe train`.   folder: of the runs, in a folder `seed_S` each, and of the results, `bench.json`.

    Raises
    ------
    recframe.errors.UserError: ConfigError, TaskError, or what ends a run; TaskError also for a folder with runs of other settings.
    """
    generated = (folder / "log.txt").absolute() if task.log else None
    if generated is not None and not generated.is_file():
        write_log(generated, **task.log)
    found = compose_runs(task, own, generated)
    seeds = []
    for seed in task.seeds:
        with open_dict(found.cfg):
            found.cfg.seed = seed
        place = folder / f"seed_{seed}"
        log.info("%s: seed %d in %s", task, seed, place)
        seeds.append({"seed": seed, **_result(found, own, place)})
    path = folder / RESULTS_NAME
    results = {
        "format": FORMAT,
        "task": task.name,
        "version": task.version,
        "fingerprint": task.fingerprint,
        "metric": task.metric,
        "name": str(found.cfg.name or " ".join(recorded_overrides(own)) or "as the task starts"),
        "settings": recorded_overrides(own),
        "learning": learning_settings(found.cfg),
        "steps_before_training": int(found.cfg.state_tracker.get("random_steps", 0)),
        "machine": _machine(found.cfg),
        "seeds": seeds,
    }
    atomic_write(path, json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _result(found: Composition, own: Sequence[str], place: Path) -> dict[str, Any]:
    """What the results file says of one run, which is run, continued or read."""
    cfg = found.cfg
    overrides = [*own, f"seed={cfg.seed}"]
    finished = False
    if (place / "config.yaml").is_file():
        with RunFolder.open_to_read(place) as folder:
            if OmegaConf.to_container(folder.read_config()) != recorded(validate(cfg)):
                raise TaskError([f"{place}: holds a run of other settings; choose another folder with --folder"])
            finished = folder.is_finished
    if finished:
        log.info("%s: is finished, and read", place)
    else:
        # not `resume`: these settings are the participant's own, whose consent stands in them
        runner.run(cfg, place, overrides=overrides, choices=found.choices)
    result = read_result(place)
    names = ("env_steps", "batches", "seconds", "versions", "plugins", "threads")
    data = json.loads((place / "data.json").read_text(encoding="utf-8"))
    return {"metrics": result["policies"]["trained"], "data": data, **{name: result[name] for name in names if name in result}}


def _machine(cfg: DictConfig) -> dict[str, Any]:
    """What of the machine says something about times; nothing that names it or its user."""
    return {"system": platform.system(), "architecture": platform.machine(), "cores": os.cpu_count(), "device": str(cfg.device)}
