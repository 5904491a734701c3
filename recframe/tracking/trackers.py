"""The loggers a config lists, opened together and closed whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.tracking.metrics import ENV_STEPS
from recframe.tracking.metrics_csv import CSVMetrics
from recframe.tracking.wandb_run import WandbTracking


class Trackers:
    """Every logger of a run. Use it as a context manager: leaving it ends the W&B run, as failed where an error leaves with it.

    Parameters
    ----------
    settings: the config's `logger` section, one entry a logger.
    folder: the run's folder.     name: what W&B calls the run.      group: the sweep, or None.
    config: the run's config, as plain dicts and lists.
    resume_env_steps: None for a new run, else the user-steps of the checkpoint that it goes on from (0: from the start again).
    counter: what calls are counted in.     job_type: what W&B calls this kind of run.
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
        self.wandb: WandbTracking | None = None
        if "csv" in settings:
            self.loggers.append(CSVMetrics(folder, resume_env_steps or None, counter))
        if "wandb" in settings:
            own = settings["wandb"]
            self.wandb = WandbTracking(
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
        """Log the final table, that over cold items if there are any, the sample recommendations as text, and what sums the run up."""
        if self.wandb is not None:
            self.wandb.log_policies(policies)
            if cold is not None:
                self.wandb.log_policies(cold, "cold_policies", "cold")
            if recommendations:
                self.wandb.log_recommendations(recommendations)
            self.wandb.log_summary(summary)

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.wandb is not None:
            self.wandb.close(failed=error is not None)
