"""What must be equal in two runs before their results are compared: the world, the data, and the people of the evaluation."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from pathlib import Path

from recframe.metric_names import better_direction
from recframe.reports.runs import FoundRun, SweepRun
from recframe.tracking.data_record import without_agent
from recframe.tracking.folder import DATA_NAME

CONTEST = ("dataset", "environment", "world_encoder", "reward", "logs", "split", "cold_items", "evaluation")
"""The sections of the config that decide what a number of a result is about."""
PEOPLE = ("environment", "evaluation.seed", "evaluation.people")
"""What decides, with the data, whom an evaluation meets: people without a name have the same numbers in every world."""
OF_TRAINING = ("environment.num_users", "environment.group_size")
"""Settings of these sections that belong to training: how many people act at a time, and how many of them are alike."""


def contest_of(run: FoundRun) -> Hashable:
    """What is equal in runs of which one can be better than the other: the settings of `CONTEST` and the data.

    Where the world has no encoder of its own, it reads with the agent's, which then is a part of it.
    """
    shared = not run.config.get("world_encoder") and not any(key.startswith("world_encoder.") for key in run.config)
    return _settings(run, (*CONTEST, "encoder") if shared else CONTEST), _data(run.folder)


def objective_of(run: SweepRun) -> tuple[str, bool]:
    """The metric that is a run's objective, the one that its last stage monitors, and whether low values of it are better."""
    stages = re.findall(r"\w+", run.config.get("stages", ""))
    section = "logged" if (stages[-1] == "logged" if stages else not run.result["env_steps"]) else "trainer"
    metric = run.config.get(f"{section}.monitor", "")
    return metric, run.config.get(f"{section}.monitor_mode", better_direction(metric)) == "min"


def people_met(run: FoundRun) -> Hashable:
    """What is equal in runs whose evaluations met the same people, where their numbers are equal, too: the settings of `PEOPLE`, data.

    The people of a rating matrix are its rows, whoever is held out: runs that split it by their seed met some of the same.
    """
    return _settings(run, PEOPLE), _data(run.folder, rows_are_people=True)


def _settings(run: FoundRun, keys: Sequence[str]) -> frozenset[tuple[str, str]]:
    """The values of these settings, and of all settings of these sections, without those that are null, as what is new was before."""
    inside = tuple(f"{key}." for key in keys)
    return frozenset(
        (key, value)
        for key, value in run.config.items()
        if (key in keys or key.startswith(inside)) and key not in OF_TRAINING and value != "null"
    )


def _data(folder: Path, rows_are_people: bool = False) -> str:
    """The fingerprints of a run's data, without those of what only its agent reads; '' in runs that have no record.

    rows_are_people: where there is a rating matrix, its rows stand for the people, whose fingerprint says who is held out, too.
    """
    try:
        entries = without_agent(json.loads((folder / DATA_NAME).read_text(encoding="utf-8")))
        if rows_are_people and entries.get("ratings", {}).get("rows"):
            entries.pop("users", None)
        return json.dumps(entries, sort_keys=True)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError, RecursionError):
        return f"not known of {folder}"
