"""SIGTERM and Ctrl-C: finish the chunk, save, and leave in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from recframe.errors import Stop
from recframe.training.checkpoints import LAST, RunCheckpoints

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Whether the process was asked to stop. While training, that is looked at after each chunk; elsewhere it stops at once.

    Parameters
    ----------
    run_folder: the run's folder, for the message that says how to go on.
    """

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        self.signal_number: int | None = None
        self.training = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals for as long as the block lasts. Only a main thread can; elsewhere the process's own handlers stay."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.listen()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Put the handlers in place, over whoever else put theirs."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.signal_number is not None
        self.signal_number = number
        if not self.training or again:
            raise self.stop()

    def stop(self) -> Stop:
        """The exception that ends the process."""
        number = self.signal_number or signal.SIGTERM
        saved = (self.run_folder / "checkpoints" / LAST).is_file()
        state = "what was trained is saved" if saved else "nothing was trained yet"
        message = f"stopped by {signal.Signals(number).name}; {state}. Go on with: recframe train resume={self.run_folder}"
        return Stop(message, 128 + number)


class StopWhenAsked(Callback):
    """Ends training after the chunk in which a signal arrived, with a checkpoint of that very moment.

    After an epoch's last chunk the evaluation is due, and a checkpoint resumed from before it would never make it up: there the
    stop waits until it is made and saved.
    """

    def __init__(self, interruption: Interruption, checkpoints: RunCheckpoints) -> None:
        self.interruption = interruption
        self.checkpoints = checkpoints

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take over from Lightning's own handler, which would end the process between an evaluation and its checkpoint."""
        self.interruption.listen()

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look whether to stop."""
        last = trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if self.interruption.signal_number is not None and not last:
            self.checkpoints.save(trainer)
            raise self.interruption.stop()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Look whether to stop before the next epoch: the last one is saved."""
        if self.interruption.signal_number is not None:
            raise self.interruption.stop()
