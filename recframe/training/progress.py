"""The progress bar of a fit: env steps, their speed, the latest return and loss."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recframe.metric_names import PROGRESS_METRICS
from recframe.training.module import TrainingModule

log = logging.getLogger(__name__)


class TrainingProgress(Callback):
    """A bar where there is a terminal, and a log line after each evaluation everywhere."""

    def __init__(self, total_env_steps: int, show_bar: bool, console: Console | None = None) -> None:
        self.total = total_env_steps
        console = console or Console(stderr=True)
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[latest]}"), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not (show_bar and console.is_terminal))

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the bar."""
        assert isinstance(module, TrainingModule)
        self.task = self.bar.add_task("training", total=self.total, completed=module.env_steps, latest="")
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move it."""
        assert isinstance(module, TrainingModule)
        self.bar.update(self.task, completed=min(module.env_steps, self.total), latest=_latest(module.latest))

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say how good the agent is by now."""
        assert isinstance(module, TrainingModule)
        shown = {name.removeprefix("eval/"): value for name, value in module.latest.items() if name.startswith("eval/")}
        wanted = [f"{name} {shown[name]:.3g}" for name in PROGRESS_METRICS if name in shown]
        log.info("%s env steps: %s%s", f"{module.env_steps:,}", ", ".join(wanted), f" ({_latest(module.latest)})")

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the bar away."""
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Take the bar away before the error is shown."""
        self.bar.stop()


def _latest(metrics: dict[str, float]) -> str:
    parts = []
    if "train/env_steps_per_second" in metrics:
        parts.append(f"{metrics['train/env_steps_per_second']:,.0f} env steps/s")
    if "train/return" in metrics:
        parts.append(f"train return {metrics['train/return']:.2f}")
    parts += [f"loss {name.removeprefix('loss/')} {value:.3g}" for name, value in metrics.items() if name.startswith("loss/")]
    return ", ".join(parts)
