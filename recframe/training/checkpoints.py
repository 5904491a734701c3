"""Checkpoints: `last.ckpt`, from which a run resumes to the same numbers, and `best.safetensors`, the weights to take away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from safetensors.torch import load_file, save_file

from recframe.errors import UserError
from recframe.interfaces import Agent
from recframe.training.module import TrainingModule

LAST = "last.ckpt"
BEST = "best.safetensors"


class CheckpointError(UserError):
    """A checkpoint that does not fit what it is loaded into."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside and renames, so that a kill leaves the old file or the new one; reads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with beside.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)

    def load_checkpoint(self, path: Any, map_location: Any | None = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint; never as arbitrary pickle, whatever the caller asks."""
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return checkpoint


class RunCheckpoints(Checkpoint):
    """Saves after every evaluation: first the best weights if they are, then the checkpoint to resume from.

    In that order a kill between the two is harmless: the resumed run meets the same evaluation again and writes the same best weights.
    """

    def __init__(self, folder: Path, monitor: str, mode: str) -> None:
        self.folder = folder
        self.monitor = f"eval/{monitor}"
        self.sign = 1.0 if mode == "max" else -1.0
        self.best_value: float | None = None
        self.best_env_steps = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Compare, then save."""
        assert isinstance(module, TrainingModule)
        value = float(trainer.callback_metrics[self.monitor])
        if self.best_value is None or self.sign * value > self.sign * self.best_value:
            self.best_value, self.best_env_steps = value, module.env_steps
            save_weights(module.agent, self.folder / BEST)
        module.complete = trainer.should_stop or trainer.current_epoch + 1 >= (trainer.max_epochs or 0)
        self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """Write the checkpoint to resume from."""
        trainer.save_checkpoint(self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """What is best so far."""
        return {"best_value": self.best_value, "best_env_steps": self.best_env_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What was best so far."""
        self.best_value, self.best_env_steps = state_dict["best_value"], state_dict["best_env_steps"]


def training_is_complete(checkpoint: Path) -> bool:
    """Whether the checkpoint was written after the last epoch, or after early stopping: there is nothing left to train."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    return bool(saved["recframe"]["complete"])


def checkpoint_env_steps(checkpoint: Path) -> int:
    """The user-steps that training had taken when the checkpoint was written."""
    return int(torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)["recframe"]["env_steps"])


def save_weights(agent: Agent, path: Path) -> None:
    """Write the agent's tensors, atomically, as safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    # clone: safetensors refuses tensors that share memory
    save_file({name: value.detach().cpu().clone() for name, value in _tensors(agent).items()}, beside)
    beside.replace(path)


def load_weights(agent: Agent, path: Path) -> None:
    """Load weights that `save_weights` wrote.

    Raises
    ------
    CheckpointError: if the file is missing, or its tensors are not the agent's.
    """
    if not path.is_file():
        raise CheckpointError(f"there are no weights at {path}: the run has not reached its first evaluation")
    saved = load_file(path)
    shapes, saved_shapes = ({name: value.shape for name, value in tensors.items()} for tensors in (_tensors(agent), saved))
    wrong = [name for name in sorted(shapes.keys() | saved_shapes.keys()) if shapes.get(name) != saved_shapes.get(name)]
    if wrong:
        raise CheckpointError(f"{path} holds the weights of another network: {', '.join(wrong[:3])} differ; was the config changed?")
    agent.load_state_dict({**agent.state_dict(), **saved})


def _tensors(agent: Agent) -> dict[str, torch.Tensor]:
    return {name: value for name, value in agent.state_dict().items() if isinstance(value, torch.Tensor)}
