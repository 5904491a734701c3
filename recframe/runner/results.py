"""Descriptions of a run for plugins and callers: its folder, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recframe.evaluation.results import Metrics


@dataclass(frozen=True)
class RunContext:
    """The folder of a run, and how the run was started. `sweep` is the name of the sweep whose job it is, or None."""

    folder: Path
    overrides: tuple[str, ...]
    sweep: str | None
    resumed: bool


@dataclass(frozen=True)
class RunFailure:
    """Why a run failed.

    Parameters
    ----------
    folder: the run's folder; `failure.json` and `run.log` in it have the error, too.     error: the error in one line.
    origin: the third-party `plugin`, its `distribution` and `version`, and the `component` in whose code the error was raised; empty if
        it was raised elsewhere.
    traceback: of the error, as text.
    """

    folder: Path
    error: str
    origin: Mapping[str, str]
    traceback: str


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run.

    Parameters
    ----------
    objective: the monitored metric of the trained policy on users of the training split, for sweepers and for the choice between runs.
    policies: the final table, as in result.json.   evaluation: whose sessions it is about, and how many, as in result.json.
    cold: the final table over cold items alone; None if no items were held back.
    caveats: what a reader must know before the table, from the environment, and what could not be evaluated.
    selection: how the final weights were chosen, as in result.json; empty if nothing was trained.
    batches: batches of a log that were learned from.   ranking: the evaluation on the log, as in result.json; empty without a log.
    off_policy: what logged decisions say, as in result.json; empty without propensities.
    """

    folder: Path
    objective: float
    env_steps: int
    seconds: float
    policies: dict[str, Metrics]
    cold: dict[str, Metrics] | None = None
    caveats: tuple[str, ...] = ()
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    batches: int = 0
    ranking: Mapping[str, Any] = field(default_factory=dict)
    off_policy: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, entries: Mapping[str, Any]) -> RunResult:
        """The result with these entries of result.json. `folder` may be relative: the result's is not, however the run was started."""
        optional: dict[str, Any] = {name: entries.get(name, {}) for name in ("evaluation", "selection", "ranking", "off_policy")}
        optional["batches"] = entries.get("batches", 0)
        cold, caveats = entries.get("cold_items", {}).get("policies"), tuple(entries.get("caveats", ()))
        place, seconds = folder.absolute(), entries["seconds"]
        return cls(place, entries["objective"], entries["env_steps"], seconds, entries["policies"], cold, caveats, **optional)
