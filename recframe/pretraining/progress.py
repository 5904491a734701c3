"""The progress bar of a pretraining."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recframe.pretraining.module import PretrainingModule


class PretrainingProgress(Callback):
    """A bar of steps, where there is a terminal."""

    def __init__(self, show_bar: bool) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[latest]}"), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not (show_bar and console.is_terminal))

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the bar."""
        assert isinstance(module, PretrainingModule)
        self.task = self.bar.add_task("training", total=module.steps, latest="")
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move it."""
        assert isinstance(module, PretrainingModule)
        self.bar.update(self.task, completed=module.global_step, latest=f"held-out perplexity {module.measured[0]:.4g}")

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the bar away."""
        self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Take the bar away before the error is shown."""
        self.bar.stop()
