"""A list of runs: state, age, objective and name; filtered and sorted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recframe.reports.cells import number
from recframe.reports.comparable import objective_of
from recframe.reports.runs import FoundRun, SweepError, SweepRun, UnfinishedRun, find_runs, parse_overrides
from recframe.reports.states import State
from recframe.tracking.folder import CONFIG_NAME, FAILURE_NAME, LOG_NAME, METRICS_NAME
from recframe.tracking.result import RESULT_NAME

USUAL_FOLDERS = ("runs", "multirun")
"""Where `recframe train` writes."""
CHANGING = (RESULT_NAME, FAILURE_NAME, METRICS_NAME, LOG_NAME, CONFIG_NAME)


@dataclass(frozen=True)
class Listed:
    """A run of a list.

    age: seconds since the last change of its record; NaN if there is none yet.   objective: NaN without one; its direction is that of the
    metric that the run monitors.
    name: its setting `name`, or else the settings in which it differs from others of the list, or else what was given.
    """

    run: str
    folder: Path
    state: State
    age: float
    objective: float
    seed: str
    name: str
    reason: str
    low_is_better: bool = False

    def cells(self) -> list[str]:
        """As a row of a table."""
        return [self.run, self.state, self.name, self.seed, number(self.objective), age_in_words(self.age)]

    def entries(self) -> dict[str, Any]:
        """The content as JSON types."""
        age = None if math.isnan(self.age) else round(self.age, 1)
        known = {"run": self.run, "folder": str(self.folder), "state": str(self.state), "age": age, "name": self.name}
        objective = self.objective if math.isfinite(self.objective) else None
        return known | {"objective": objective, "seed": self.seed or None, "reason": self.reason or None}


def _order(value: float) -> float:
    """A number by which runs are sorted: NaN, which is not known, comes last."""
    return math.inf if math.isnan(value) else value


HEADER = ("run", "state", "name", "seed", "objective", "age")

SORTS: Mapping[str, Callable[[Listed], Any]] = {
    "age": lambda run: _order(run.age),
    "objective": lambda run: _order(run.objective if run.low_is_better else -run.objective),
    "state": lambda run: (list(State).index(run.state), _order(run.age)),
    "name": lambda run: (run.name, run.run),
}
"""By what a list can be sorted: the youngest first, the best objective first, by state, or by name."""


def list_runs(
    folders: Sequence[Path],
    states: Collection[State] = (),
    where: Iterable[str] = (),
    sort: str | None = None,
    now: float | None = None,
) -> list[Listed]:
    """The runs in and below some folders.

    Parameters
    ----------
    folders: none: `runs` and `multirun`, as far as they are here.     states: none: all.
    where: settings as `key=value` that a run must have, such as `agent=ppo` and `agent.gamma=0.9`.
    sort: a name of `SORTS`; None: the order of folders.     now: the time, in seconds since 1970.

    Raises
    ------
    SweepError: there is no run, or a condition is not `key=value`.
    """
    conditions = [_condition(text) for text in where]
    folders = folders or [place for name in USUAL_FOLDERS if (place := Path(name)).is_dir()]
    if not folders:
        raise SweepError(f"there is no folder {' or '.join(USUAL_FOLDERS)} here; name a folder of runs")
    sweep = find_runs(list(folders))
    now = time.time() if now is None else now
    every: list[FoundRun] = [*sweep.runs, *sweep.unfinished]
    listed = [_listed(run, now) for run in every if all(_has(run, key, value) for key, value in conditions)]
    chosen = [run for run in listed if not states or run.state in states]
    return chosen if sort is None else sorted(chosen, key=SORTS[sort])


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SweepError(f"--where {text}: must be a setting and its value, such as agent=ppo")
    return key.strip(), value.strip()


def _has(run: FoundRun, key: str, value: str) -> bool:
    if key == "seed":
        return _seed(run) == value
    if key == "name":
        return run.label == value
    # a job that has not started has nothing but its overrides
    given = run.settings.get(key, parse_overrides(run.overrides).get(key))
    return value in (run.choices.get(key), run.config.get(key), run.config.get(f"{key}.name"), given)


def _listed(run: FoundRun, now: float) -> Listed:
    state, reason, objective, low_is_better = State.FINISHED, "", math.nan, False
    if isinstance(run, UnfinishedRun):
        state, reason = run.state, run.reason
    elif isinstance(run, SweepRun) and run.result["objective"] is not None:
        objective, low_is_better = float(run.result["objective"]), objective_of(run)[1]
    differing = " ".join(f"{key}={value}" for key, value in run.settings.items() if key != "name")
    given = differing or " ".join(text for text in run.overrides if not text.startswith(("seed=", "name=")))
    return Listed(
        run.name, run.folder, state, _age(run.folder, now), objective, _seed(run), run.label or given or "default", reason, low_is_better
    )


def _seed(run: FoundRun) -> str:
    if isinstance(run, SweepRun):
        return str(run.result["seed"])
    given = [text.removeprefix("seed=") for text in run.overrides if text.startswith("seed=")]
    return given[-1] if given else ""


def _age(folder: Path, now: float) -> float:
    changed = []
    for name in CHANGING:
        try:
            changed.append((folder / name).stat().st_mtime)
        except OSError:
            continue
    return max(now - max(changed), 0.0) if changed else math.nan


def age_in_words(seconds: float) -> str:
    """An age: "12 s", "5 min", "3 h", "2 d"; "-" if it is not known."""
    if math.isnan(seconds):
        return "-"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
