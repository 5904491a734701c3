"""Descriptions of a run for plugins and callers: its folder, and its result."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from recframe.evaluation.html_tables import results_html
from recframe.evaluation.results import Metrics
from recframe.evaluation.table import results_page
from recframe.tracking import ResultError, RunFolder, read_result
from recframe.tracking.failure import read_failure
from recframe.tracking.result import RESULT_NAME

TRAINED = "trained"
"""The name of the trained policy among `RunResult.policies`."""
WIDTH = 100


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
    """The result of a finished run. It shows as the run's tables: as text where it is printed, and as HTML in a notebook.

    Parameters
    ----------
    objective: the monitored metric of the trained policy on users of the training split, for sweepers and for the choice between runs.
    policies: the final table, as in result.json.   evaluation: whose sessions it is about, and how many, as in result.json.
    cold: the final table over cold items alone; None if no items were held back.
    caveats: what a reader must know before the table, from the environment, and what could not be evaluated.
    selection: how the final weights were chosen, as in result.json; empty if nothing was trained.
    objectives: all metrics that were measured with `objective`, by name, as in result.json; empty in results of earlier releases.
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
    objectives: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, entries: Mapping[str, Any]) -> RunResult:
        """The result with these entries of result.json. `folder` may be relative: the result's is not, however the run was started."""
        optional: dict[str, Any] = {name: entries.get(name, {}) for name in ("evaluation", "selection", "ranking", "off_policy")}
        optional["batches"] = entries.get("batches", 0)
        # result.json has null for what has no value
        optional["objectives"] = {name: math.nan if value is None else value for name, value in entries.get("objectives", {}).items()}
        cold, caveats = entries.get("cold_items", {}).get("policies"), tuple(entries.get("caveats", ()))
        place, seconds = folder.absolute(), entries["seconds"]
        return cls(place, entries["objective"], entries["env_steps"], seconds, entries["policies"], cold, caveats, **optional)

    @property
    def metrics(self) -> dict[str, float]:
        """The means of the trained policy's metrics by name, such as `{"return": 5.2, "click_rate": 0.61}`."""
        return {name: value["mean"] for name, value in self.policies[TRAINED].items()}

    @property
    def config(self) -> DictConfig:
        """The config that the run was started with, read from its folder.

        Raises
        ------
        RunFolderError: the folder is gone, or its config.yaml is damaged.
        """
        with RunFolder.open_to_read(self.folder) as folder:
            return folder.read_config()

    def table(self) -> pl.DataFrame:
        """A row for each policy and metric, with the columns policy, metric, mean, low, high (the ends of the 95 % interval) and n (the
        number of people).
        """
        rows = [{"policy": policy, "metric": name, **value} for policy, metrics in self.policies.items() for name, value in metrics.items()]
        types = {"policy": pl.String, "metric": pl.String, "mean": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
        return pl.DataFrame(rows, schema=types)

    def entries(self) -> dict[str, Any]:
        """What tables show of the result, as in result.json."""
        cold = {} if self.cold is None else {"cold_items": {"policies": self.cold}}
        about = {"evaluation": self.evaluation} if self.evaluation else {}
        named = {name: getattr(self, name) for name in ("policies", "caveats", "ranking", "off_policy", "selection")}
        return {**named, **about, **cold}

    def __str__(self) -> str:
        # rich would display something in a notebook, beside what it returns
        console = Console(width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False, file=io.StringIO(), highlight=False)
        with console.capture() as captured:
            console.print(results_page(self.entries(), title="Results"))
        lines = [line.rstrip() for line in captured.get().splitlines()]
        return "\n".join([*lines, f"everything is in {self.folder}"])

    def _repr_html_(self) -> str:
        return f"{results_html(self.entries(), title='Results')}\n<p>everything is in <code>{escape(str(self.folder))}</code></p>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """IPython in a terminal shows it as `print` does."""
        printer.text(str(self))


def load_result(folder: str | Path) -> RunResult:
    """The result of a finished run, from its folder: what `recframe.run` returned for it. Results of earlier releases are read, too.

    Raises
    ------
    recframe.errors.UserError: there is no such run, it has not finished, or it failed; the message has the reason.
    """
    folder = Path(folder).expanduser()
    if not (folder / RESULT_NAME).is_file() and (reason := read_failure(folder)) is not None:
        raise ResultError(f"{folder}: the run failed: {reason}")
    return RunResult.of(folder, read_result(folder))
