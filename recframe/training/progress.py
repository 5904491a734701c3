"""The progress bar of a fit, and the latest metrics in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import TextColumn

from recframe.console import progress_bar
from recframe.metric_names import progress_metrics
from recframe.tracking.counter import BATCHES, ENV_STEPS, count_in_words, words


class ProgressBar(Callback):
    """A progress bar, shown if the console is a terminal.

    Parameters
    ----------
    total: steps of the whole fit.   status: returns the steps taken so far, and a text that is shown next to the bar.
    show: whether to show it in a terminal.   console: by default the standard error stream.
    """

    def __init__(self, total: int, status: Callable[[], tuple[int, str]], show: bool, console: Console | None = None) -> None:
        self.total = total
        self.status = status
        self.bar = progress_bar("training", TextColumn("{task.fields[text]}"), show, console)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar."""
        self.task = self.bar.add_task("training", total=self.total, completed=self.status()[0], text="")
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the bar."""
        completed, text = self.status()
        self.bar.update(self.task, completed=min(completed, self.total), text=text)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remove the bar."""
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Remove the bar before the error is shown."""
        self.bar.stop()


def training_text(metrics: Mapping[str, float]) -> str:
    """Speed, return and losses among the latest training metrics; empty before the first are logged."""
    parts = []
    for unit in (ENV_STEPS, BATCHES):
        if (speed := metrics.get(f"train/{unit}_per_second")) is not None:
            parts.append(f"{speed:,.0f} {words(unit)}/s")
    if "train/return" in metrics:
        parts.append(f"train return {metrics['train/return']:.2f}")
    parts += [f"loss {name.removeprefix('loss/')} {value:.3g}" for name, value in metrics.items() if name.startswith("loss/")]
    return ", ".join(parts)


def evaluation_text(steps: int, unit: str, metrics: Mapping[str, float]) -> str:
    """One line: the steps taken in the stage's unit, the latest evaluation, and in parentheses the latest training metrics, if any."""
    names = [name.removeprefix("eval/") for name in metrics if name.startswith("eval/")]
    measured = [f"{name} {metrics[f'eval/{name}']:.3g}" for name in progress_metrics(names)]
    training = training_text(metrics)
    return f"{count_in_words(steps, unit)}: {', '.join(measured)}" + (f" ({training})" if training else "")
