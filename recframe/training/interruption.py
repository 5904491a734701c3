"""Signals to stop (SIGTERM, Ctrl-C, SIGHUP, SIGUSR1): finish the chunk, save a checkpoint and shut down cleanly."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from recframe.errors import Stop
from recframe.signals import IMPATIENT, handle_stop_signals, stop_signals_handled
from recframe.training.checkpoints import LAST, RunCheckpoints
from recframe.training.ranks import Ranks


class Interruption:
    """Records whether the process was asked to stop. Training checks this after each chunk; outside training the process stops at once.

    Parameters
    ----------
    run_folder: the run's folder, for the message that says how to resume.
    """

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.signal_number: int | None = None
        self.training = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals within the block. Only the main thread can; in other threads the process keeps its handlers."""
        with stop_signals_handled(self._receive):
            yield

    def listen(self) -> None:
        """Install the handlers, replacing any others."""
        handle_stop_signals(self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.signal_number is not None and number in IMPATIENT
        self.signal_number = number
        if not self.training or again:
            raise self.stop()

    def stop(self) -> Stop:
        """The exception that ends the process."""
        number = self.signal_number or signal.SIGTERM
        saved = (self.run_folder / "checkpoints" / LAST).is_file()
        state = "the training so far is saved" if saved else "nothing was trained yet"
        message = f"stopped by {signal.Signals(number).name}; {state}. Resume with: recframe train resume={self.run_folder}"
        return Stop(message, 128 + number)


class StopOnSignal(Callback):
    """Stops training after the chunk in which a signal arrived, with a checkpoint of that moment.

    After the last chunk of an epoch, training stops only once the evaluation is done and saved: a run that resumed from a checkpoint
    between the two would never make that evaluation.
    """

    def __init__(self, interruption: Interruption, checkpoints: RunCheckpoints, ranks: Ranks) -> None:
        self.interruption = interruption
        self.checkpoints = checkpoints
        self.ranks = ranks

    def _agree(self) -> None:
        """A signal to one of the processes that train together is a signal to all."""
        self.interruption.signal_number = self.ranks.largest(self.interruption.signal_number or 0) or None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Replace Lightning's own handler, which would end the process between an evaluation and its checkpoint."""
        self.interruption.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop if asked, except before an evaluation."""
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        self._agree()
        if self.interruption.signal_number is not None and not last:
            self.checkpoints.save(trainer)
            raise self.interruption.stop()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop if asked: the epoch before is saved."""
        self._agree()
        if self.interruption.signal_number is not None:
            raise self.interruption.stop()
