"""One fit: a Trainer around the training module, from the start or from a checkpoint."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import Logger

from recframe.config.schemas import TrainerConfig
from recframe.errors import UserError
from recframe.experience import Collector, source_for
from recframe.interfaces import Agent, NoExperience
from recframe.training.checkpoints import BEST, AtomicCheckpointIO, RunCheckpoints, load_weights, save_weights, training_is_complete
from recframe.training.interruption import Interruption, StopWhenAsked
from recframe.training.module import Chunks, TrainingModule
from recframe.training.progress import TrainingProgress

log = logging.getLogger(__name__)


class MonitorError(UserError):
    """The monitored metric is not among those that are measured."""


@dataclass(frozen=True)
class Schedule:
    """How many chunks make an epoch, and how many epochs the fit; every epoch ends with an evaluation."""

    chunks_per_epoch: int
    epochs: int
    env_steps: int

    @classmethod
    def of(cls, settings: TrainerConfig, num_users: int) -> Schedule:
        """The schedule whose total comes nearest above `settings.env_steps`, in epochs of equal length."""
        chunk = settings.chunk_steps * num_users
        chunks = math.ceil(settings.env_steps / chunk)
        epochs = max(1, min(chunks, round(settings.env_steps / settings.evaluate_every)))
        per_epoch = math.ceil(chunks / epochs)
        epochs = math.ceil(chunks / per_epoch)
        return cls(per_epoch, epochs, per_epoch * epochs * chunk)


def fit(
    agent: Agent,
    collector: Collector,
    settings: TrainerConfig,
    *,
    folder: Path,
    evaluate: Callable[[], dict[str, float]],
    seed: int,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    interruption: Interruption | None = None,
    resume_from: Path | None = None,
) -> None:
    """Train `agent` in place; afterwards it holds the weights that `settings.final_weights` names.

    Parameters
    ----------
    folder: where `last.ckpt` and `best.safetensors` are kept.
    evaluate: called between epochs; must hold `settings.monitor`.
    resume_from: a `last.ckpt` to go on from, or None.

    Raises
    ------
    TrainingDiverged: if a loss stops being finite.
    Interrupted: if the process was asked to stop; the checkpoint is written.
    MonitorError: if `settings.monitor` is not measured.
    """
    best = folder / BEST
    if isinstance(agent.experience, NoExperience):
        save_weights(agent, best)
        return
    device = agent.spec.device
    if resume_from is not None and training_is_complete(resume_from):
        log.info("training was complete: evaluating")
        saved = torch.load(resume_from, map_location="cpu", weights_only=True)
        state = {name.removeprefix("agent."): value for name, value in saved["state_dict"].items()}
        agent.load_state_dict(state)
    else:
        source = source_for(agent.experience, seed, device)
        module = TrainingModule(agent, collector, source, settings, _checked(evaluate, settings.monitor))
        schedule = Schedule.of(settings, collector.environment.spec.num_users)
        checkpoints = RunCheckpoints(folder, settings.monitor, settings.monitor_mode)
        interruption = interruption or Interruption()
        own = [TrainingProgress(schedule.env_steps, settings.progress_bar), checkpoints]
        own.append(StopWhenAsked(interruption, checkpoints, f"recframe train resume={folder.parent}"))
        if settings.patience is not None:
            monitor = f"eval/{settings.monitor}"
            own.append(EarlyStopping(monitor, mode=settings.monitor_mode, patience=settings.patience, check_finite=False))
        with _quiet_lightning():
            trainer = pl.Trainer(
                accelerator="gpu" if device.type == "cuda" else "cpu",
                devices=[device.index or 0] if device.type == "cuda" else 1,
                precision=settings.precision,
                max_epochs=schedule.epochs,
                logger=list(loggers),
                callbacks=[*own, *callbacks],
                plugins=[AtomicCheckpointIO()],
                default_root_dir=folder,
                enable_checkpointing=True,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                # agents cache projected items while acting; inference tensors could not be used in a later loss
                inference_mode=False,
                use_distributed_sampler=False,
            )
            interruption.training = True
            try:
                loaders = {"train_dataloaders": Chunks(schedule.chunks_per_epoch), "val_dataloaders": Chunks(1)}
                trainer.fit(module, **loaders, ckpt_path=resume_from)
            finally:
                interruption.training = False
    if settings.final_weights == "best":
        load_weights(agent, best)


def _checked(evaluate: Callable[[], dict[str, float]], monitor: str) -> Callable[[], dict[str, float]]:
    def measured() -> dict[str, float]:
        metrics = evaluate()
        if monitor not in metrics:
            raise MonitorError(f"trainer.monitor={monitor!r} is not measured here; there are: {', '.join(sorted(metrics))}")
        return metrics

    return measured


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning's advice is about data loaders and hardware that a simulator does not have."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric).*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
