"""The loggers of a run: what they are told of it, and what they are given at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class RunDescription:
    """What a logger is told of the run.

    Parameters
    ----------
    folder: the run's folder, which exists; a logger keeps its files in a subfolder with its name.
    name: the run's name: its setting `name`, or its overrides; and its seed.   group: the sweep's name, or None.
    config: the run's config as plain dicts and lists. Values from environment variables stay unresolved, as they may be secrets.
    resume_at: None for a new run; else the value of the counter at which the run is resumed (0: from the start). Metrics that were logged
        after it will be logged again.
    counter: the metric that all others are logged against: "env_steps", "batches", or "steps".
    job: "train" or "pretrain".
    """

    folder: Path
    name: str
    group: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    resume_at: int | None = None
    counter: str = "env_steps"
    job: str = "train"


@dataclass(frozen=True)
class FinalResults:
    """The results of a run, once they are on disk.

    Parameters
    ----------
    tables: final tables by name, "final" and where there are any "cold" and "ranking", in the format of result.json:
        `{policy: {metric: {"mean", "low", "high", "n"}}}`.
    summary: values of the whole run, such as the objective. They may be NaN.
    recommendations: sample recommendations, a record for each.
    """

    tables: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float | None]]]] = field(default_factory=dict)
    summary: Mapping[str, float | None] = field(default_factory=dict)
    recommendations: Sequence[Mapping[str, Any]] = ()

    def means(self) -> dict[str, float]:
        """The finite means of the tables as `<table>/<policy>/<metric>`; metrics without a value are left out."""
        return {
            f"{table}/{policy}/{metric}": mean
            for table, policies in self.tables.items()
            for policy, metrics in policies.items()
            for metric, statistic in metrics.items()
            if (mean := statistic["mean"]) is not None
        }


class RunLogger(Protocol):
    """A Lightning logger (`pytorch_lightning.loggers.Logger`), as a run uses it.

    `log_metrics` gets the metrics and, among them, the run's counter; `step` is its value, too. Two methods more are called if the logger
    has them: `log_results(results: FinalResults)` once the results are on disk, and `close(failed: bool)` at the end of every run. Without
    `close`, Lightning's `finalize("success")` or `finalize("failed")` is called at the end in its place.
    """

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record metrics."""
        ...
