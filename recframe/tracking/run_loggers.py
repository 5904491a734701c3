"""All loggers of a run, as its config lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from recframe.tracking.counter import ENV_STEPS
from recframe.tracking.metrics_csv import CsvMetricsLogger
from recframe.tracking.wandb_run import WandbRunLogger

log = logging.getLogger(__name__)


@contextmanager
def _warning_of(part: str) -> Iterator[None]:
    """Log an error of the block, in which W&B records a part of the results, as a warning."""
    try:
        yield
    except Exception as error:  # W&B raises many types
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        log.warning("wandb: %s could not be recorded (%s)", part, reason)


class RunLoggers:
    """The loggers of a run. As a context manager it ends the W&B run on exit, as failed if there is an error.

    Parameters
    ----------
    settings: the config's `logger` section, with one entry for each logger.
    folder: the run's folder.     name: the run's name in W&B.      group: the sweep, or None.
    config: the run's config, as plain dicts and lists.
    resume_at: None for a new run, else the counter of the checkpoint to resume from (0: from the start).
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
        resume_at: int | None = None,
        counter: str = ENV_STEPS,
        job_type: str = "train",
    ) -> None:
        self.loggers: list[Logger] = []
        self.wandb: WandbRunLogger | None = None
        if "csv" in settings:
            self.loggers.append(CsvMetricsLogger(folder, resume_at or None, counter))
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
                resume=resume_at is not None,
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
        ranking: Mapping[str, Any] | None = None,
    ) -> None:
        """Log the final results, those on cold items and on the log if there are any, sample recommendations, and values of the whole run.

        Then end the W&B run.

        Call it once the results are on disk. What W&B fails to record, for example without a home folder to write to, is logged as a
        warning.
        """
        wandb = self.wandb
        if wandb is None:
            return
        with _warning_of("the summary"):
            wandb.log_summary(summary)
        with _warning_of("the table of policies"):
            wandb.log_policies(policies)
        if cold is not None:
            with _warning_of("the table over cold items"):
                wandb.log_policies(cold, "cold_policies", "cold")
        if ranking:
            with _warning_of("the table over the log"):
                wandb.log_policies(ranking, "ranking_policies", "ranking")
        if recommendations:
            with _warning_of("the recommendations"):
                wandb.log_recommendations(recommendations)
        with _warning_of("the end of the run"):
            wandb.close()

    def __enter__(self) -> RunLoggers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.wandb is not None:
            # nothing may take the place of the error that ended the run
            with nullcontext() if error is None else _warning_of("the end of the run"):
                self.wandb.close(failed=error is not None)
