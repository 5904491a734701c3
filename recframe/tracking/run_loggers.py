"""All loggers of a run, as its config lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.tracking.counter import ENV_STEPS
from recframe.tracking.metrics_csv import CsvMetricsLogger
from recframe.tracking.wandb_run import WandbRunLogger


class RunLoggers:
    """The loggers of a run. As a context manager it ends the W&B run on exit, as failed if there is an error.

    Parameters
    ----------
    settings: the config's `logger` section, with one entry for each logger.
    folder: the run's folder.     name: the run's name in W&B.      group: the sweep, or None.
    config: the run's config, as plain dicts and lists.
    resume_env_steps: None for a new run, else the env steps of the checkpoint to resume from (0: from the start).
    counter: the metric that calls are recorded against.     job_type: the kind of run in W&B.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        folder: Path,
        *,
        name: str,
        group: str | None,
        config: Mapping[str, Any],
        resume_env_steps: int | None = None,
        counter: str = ENV_STEPS,
        job_type: str = "train",
    ) -> None:
        self.loggers: list[Logger] = []
        self.wandb: WandbRunLogger | None = None
        if "csv" in settings:
            self.loggers.append(CsvMetricsLogger(folder, resume_env_steps or None, counter))
        if "wandb" in settings:
            own = settings["wandb"]
            self.wandb = WandbRunLogger(
                folder,
                project=own["project"],
                entity=own["entity"],
                mode=own["mode"],
                tags=own["tags"],
                group=group,
                name=name,
                config=config,
                resume=resume_env_steps is not None,
                counter=counter,
                job_type=job_type,
            )
            self.loggers.append(self.wandb)

    def finish(
        self,
        policies: Mapping[str, Any],
        cold: Mapping[str, Any] | None,
        recommendations: Sequence[Mapping[str, Any]],
        summary: Mapping[str, float],
    ) -> None:
        """Log the final results, those on cold items if there are any, sample recommendations as text, and values of the whole run."""
        if self.wandb is not None:
            self.wandb.log_policies(policies)
            if cold is not None:
                self.wandb.log_policies(cold, "cold_policies", "cold")
            if recommendations:
                self.wandb.log_recommendations(recommendations)
            self.wandb.log_summary(summary)

    def __enter__(self) -> RunLoggers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.wandb is not None:
            self.wandb.close(failed=error is not None)
