"""SIGTERM and Ctrl-C: finish the chunk, save, and leave in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from recframe.errors import UserError
from recframe.training.checkpoints import RunCheckpoints


class Interrupted(UserError):
    """The run was asked to stop; the message says how to go on."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Interruption:
    """Whether the process was asked to stop. While training, that is looked at after each chunk; elsewhere it stops at once."""

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.training = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals for as long as the block lasts. Only a main thread can; elsewhere the process's own handlers stay."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = self.signal_number is not None
        self.signal_number = number
        if not self.training or again:
            raise self.error("there is nothing to save at this point")

    def error(self, done: str) -> Interrupted:
        """The exception that ends the run."""
        number = self.signal_number or signal.SIGTERM
        return Interrupted(f"stopped by {signal.Signals(number).name}; {done}", number)


class StopWhenAsked(Callback):
    """Ends training after the chunk in which a signal arrived, with a checkpoint of that very moment."""

    def __init__(self, interruption: Interruption, checkpoints: RunCheckpoints, how_to_resume: str) -> None:
        self.interruption = interruption
        self.checkpoints = checkpoints
        self.how_to_resume = how_to_resume

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look whether to stop."""
        if self.interruption.signal_number is not None:
            self.checkpoints.save(trainer)
            raise self.interruption.error(f"saved. Go on with: {self.how_to_resume}")
