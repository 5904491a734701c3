"""Checkpoints: `last.ckpt`, from which a run resumes exactly, and weights as safetensors."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from recframe.tracking.weights import CheckpointError, encoder_weights, save_weights
from recframe.training.checkpoint_file import read_checkpoint, require_checkpoint
from recframe.training.module import TrainingModule

LAST = "last.ckpt"
BEST = "best.safetensors"
FINAL = "final.safetensors"
"""The weights that the results belong to: the best or the last, as configured. Written when training is over."""


class RunCheckpoints(Checkpoint):
    """Saves after every evaluation: first the weights, if they are the best so far, then the checkpoint to resume from.

    In this order, a kill between the two is harmless: the resumed run repeats the evaluation and writes the same best weights.

    start: whether the weights before the first update are evaluated and compared, too.
    window: the weights of an evaluation are the best if the mean over it and the `window` - 1 before it is. Means of fewer evaluations, at
        the beginning of a run, count only until there is one of `window`.
    best: the name of the file of the best weights.
    """

    def __init__(self, folder: Path, monitor: str, mode: str, window: int = 1, best: str = BEST, start: bool = False) -> None:
        self.folder = folder
        self.start = start
        self.best = folder / best
        self.monitor = f"eval/{monitor}"
        self.sign = 1.0 if mode == "max" else -1.0
        self.best_value: float | None = None
        self.best_steps = 0
        self.recent: deque[float] = deque(maxlen=window)
        self.candidates = 0
        self.best_evaluations = 0
        self.measured: dict[str, dict[str, float]] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Evaluate the start of a run, unless it goes on from a checkpoint."""
        assert isinstance(module, TrainingModule)
        if self.start and not self.candidates:
            self.compare(module, module.evaluated()[self.monitor])

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Compare with the best value so far, then save."""
        assert isinstance(module, TrainingModule)
        self.compare(module, float(trainer.callback_metrics[self.monitor]))
        module.complete = trainer.should_stop or trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        self.save(trainer)

    def compare(self, module: TrainingModule, monitored: float) -> None:
        """Take the `monitored` value of an evaluation into the window, and save the weights if they are the best so far."""
        self.recent.append(monitored)
        value, evaluations = sum(self.recent) / len(self.recent), len(self.recent)
        self.candidates += 1
        self.measured["last"] = module.measured
        # NaN: the metric had no value, and is worse than any
        rank = (not math.isnan(value), evaluations, self.sign * value)
        best = self.best_value
        if best is None or rank > (not math.isnan(best), self.best_evaluations, self.sign * best):
            self.best_value, self.best_steps, self.best_evaluations = value, module.steps, evaluations
            self.measured["best"] = module.measured
            if module.ranks.is_first:
                with module.final_weights():
                    save_weights(module.agent, self.best)
            if module.tuner is not None:
                module.tuner.save(encoder_weights(self.best))

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint to resume from. Loggers write first: a resumed run does not log again what came before the checkpoint."""
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, when it was measured, the latest values, their number, and all metrics of the best and last weights."""
        best = {"best_value": self.best_value, "best_steps": self.best_steps, "best_evaluations": self.best_evaluations}
        return {**best, "best_file": self.best.name, "recent": list(self.recent), "candidates": self.candidates, "measured": self.measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best value so far."""
        self.best_value, self.best_steps = state_dict["best_value"], state_dict.get("best_steps", state_dict.get("best_env_steps", 0))
        self.recent.extend(state_dict.get("recent", []))
        self.candidates = state_dict.get("candidates", 0)
        self.best_evaluations = state_dict.get("best_evaluations", 1)
        # checkpoints of earlier releases have none
        self.measured = state_dict.get("measured", {})


def training_is_complete(checkpoint: Path) -> bool:
    """Whether the checkpoint was written after the last epoch or after early stopping, so that no training is left."""
    return bool(read_checkpoint(checkpoint, lazily=True)["recframe"]["complete"])


def progress_at(checkpoint: Path) -> tuple[int, float]:
    """What the run's counter was when the checkpoint was written, and the seconds that the run had lasted."""
    saved = read_checkpoint(checkpoint, lazily=True)["recframe"]
    return int(saved.get("steps", saved["env_steps"])), float(saved["seconds"])


def stage_at(checkpoint: Path) -> tuple[int, int]:
    """The number of the stage in which the checkpoint was written, from 0, and the steps of the stages before it."""
    saved = read_checkpoint(checkpoint, lazily=True)["recframe"]
    return int(saved.get("stage", 0)), int(saved.get("steps_before", 0))


def device_at(checkpoint: Path) -> str | None:
    """The kind of device that the run was on, "cpu" or "cuda"; None in checkpoints of earlier versions."""
    device: str | None = read_checkpoint(checkpoint, lazily=True)["recframe"].get("device")
    return device


def require_resumable(checkpoint: Path, final_weights: str, run: str | None) -> None:
    """Check that a checkpoint is undamaged and the run's, and that the best weights are still next to it, if the run will need them.

    Parameters
    ----------
    final_weights: the setting of the run.     run: the key of the run's identity; None: it is not known.

    Raises
    ------
    CheckpointError: if not.
    """
    require_checkpoint(checkpoint, run)
    if final_weights != "best":
        return
    states = read_checkpoint(checkpoint, lazily=True)["callbacks"]
    state: dict[str, Any] = next((state for state in states.values() if state.get("best_value") is not None), {})
    best = checkpoint.with_name(state.get("best_file", BEST))
    if state and not best.is_file():
        raise CheckpointError(
            f"{best} is missing, and {LAST} does not hold these weights; remove {checkpoint} to train from the start again"
        )
