"""Training an agent with a Lightning Trainer, from the start or from a checkpoint."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.loggers import Logger

from recframe.attribution import require_optimizers
from recframe.config import ConfigError
from recframe.config.schema.run import TrainerConfig
from recframe.errors import UserError
from recframe.experience import Stream
from recframe.interfaces import Agent
from recframe.tracking.finite import TrainingDiverged
from recframe.tracking.weights import encoder_weights, load_weights, save_weights
from recframe.training.allocator import keep_freed_memory
from recframe.training.auxiliary import AuxiliaryHead
from recframe.training.checkpoint_file import AtomicCheckpointIO, read_checkpoint
from recframe.training.checkpoints import (
    BEST,
    FINAL,
    LAST,
    RunCheckpoints,
    training_is_complete,
)
from recframe.training.divergence import earlier_checkpoint
from recframe.training.interruption import Interruption, StopOnSignal
from recframe.training.lightning_output import suppress_lightning_output
from recframe.training.lm_tuning.tuner import Tuner, TuningDiverged
from recframe.training.module import Chunks, StageRecord, TrainingModule
from recframe.training.progress import ProgressBar
from recframe.training.ranks import Ranks
from recframe.training.weight_average import WeightAverage

log = logging.getLogger(__name__)


class MonitorError(UserError):
    """The monitored metric is not measured."""


@dataclass(frozen=True)
class Schedule:
    """The chunks in an epoch and the epochs in the fit; every epoch ends with an evaluation. `steps` is the length of all."""

    chunks_per_epoch: int
    epochs: int
    steps: int

    @classmethod
    def of(cls, steps: int, evaluate_every: int, chunk: int) -> Schedule:
        """A schedule of equally long epochs of chunks of `chunk` steps, for `steps` rounded up."""
        chunks = math.ceil(steps / chunk)
        epochs = max(1, min(chunks, round(steps / evaluate_every)))
        per_epoch = math.ceil(chunks / epochs)
        epochs = math.ceil(chunks / per_epoch)
        return cls(per_epoch, epochs, per_epoch * epochs * chunk)


@dataclass(frozen=True)
class Selection:
    """The weights that a fit ends with: those after `steps`, and why.

    unit: what `steps` counts: "env_steps" in a simulator, "batches" of a log.
    value: the monitored metric by which they were chosen, a mean over `evaluations` of them. It is the largest of `candidates` values, so
        it flatters: the value of the same weights in another evaluation is lower on average. None if the last weights were taken,
        whatever their value.
    measured: all metrics of these very weights, by name, as they were evaluated in training; empty if they are not known.
    """

    steps: int
    unit: str
    metric: str
    value: float | None
    evaluations: int
    candidates: int
    measured: Mapping[str, float] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """As in result.json: the steps under the name of their unit."""
        values = asdict(self)
        del values["measured"]
        return {values.pop("unit"): values.pop("steps"), **values}


def fit(
    agent: Agent,
    stream: Stream | None,
    settings: TrainerConfig,
    *,
    folder: Path,
    evaluate: Callable[[], dict[str, float]],
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    interruption: Interruption,
    auxiliary: AuxiliaryHead | None = None,
    tuner: Tuner | None = None,
    resume_from: Path | None = None,
    run: str | None = None,
    seconds_before: float = 0.0,
    stage: StageRecord | None = None,
    best: str = BEST,
    final: str = FINAL,
    ranks: Ranks | None = None,
    fitted_before: bool = False,
) -> Selection | None:
    """Train `agent` in place; afterwards it holds the weights that `settings.final_weights` names. Returns how they were chosen.

    Parameters
    ----------
    stream: makes the batches; None for an agent that learns from no experience.
    settings: `env_steps` and `evaluate_every` are counted in units of the stream.
    folder: for `last.ckpt`, `best.safetensors`, at the end `final.safetensors`, and the weights of a tuned language model.
    evaluate: called after each epoch; its metrics must include `settings.monitor`.
    interruption: whether the process was asked to stop.
    auxiliary: an auxiliary head on the agent's state tracker, or None.
    tuner: tunes the language model by the agent's losses; None: it is frozen.
    resume_from: a `last.ckpt` of this stage to resume from, or None.     seconds_before: how long the run has lasted so far.
    run: the key of the run's identity, which the checkpoints carry.
    stage: the place of this fit in a run of several; None: it is the only one.
    best, final: the names of the files of the best and of the final weights.
    ranks: the processes that train together; None: there is one. Only the first evaluates, writes files and returns a selection.
    fitted_before: whether a part of the agent was fitted before the first update; decides where `settings.evaluate_start` is null.

    Raises
    ------
    TrainingDiverged: if a loss or gradient is no longer finite, or a weight, table or buffer that would be saved.
    ComponentFailure: if a component failed or broke its contract, or was the first to give a number that is not finite.
    Stop: if the process was asked to stop; the checkpoint is then written.
    MonitorError: if `settings.monitor` is not measured.
    ConfigError: if settings concern optimizers, and the agent has none.
    """
    require_optimizers(agent)
    _require_optimizers(agent, settings)
    # a plugin's callback may have changed weights between their evaluation and their saving
    known = all(getattr(callback, "only_watches", False) for callback in callbacks)
    if stream is None:
        save_weights(agent, folder / final)
        return None
    ranks = ranks or Ranks()
    if resume_from is not None and training_is_complete(resume_from):
        log.info("training was complete: evaluating")
        selection = trained_before(agent, stream, settings, tuner, read_checkpoint(resume_from), known)
    else:
        if tuner is not None and resume_from is None:
            tuner.start()
        schedule = Schedule.of(settings.env_steps, settings.evaluate_every, stream.chunk)
        measured = _checked(evaluate, settings.monitor)
        module = TrainingModule(agent, stream, settings, measured, auxiliary, tuner, schedule.steps, stage, ranks)
        module.seconds_before = seconds_before
        start = fitted_before and settings.final_weights == "best" if settings.evaluate_start is None else settings.evaluate_start
        checkpoints = RunCheckpoints(folder, settings.monitor, settings.monitor_mode, settings.selection_window, best, start)
        own = [
            ProgressBar(schedule.steps, module.progress, settings.progress_bar and ranks.is_first),
            checkpoints,
            StopOnSignal(interruption, checkpoints, ranks),
            *_early_stopping(settings),
        ]
        keep_freed_memory()
        with suppress_lightning_output():
            trainer = pl.Trainer(
                **_devices(agent.spec.device, ranks),
                precision=settings.precision,  # type: ignore[arg-type]  # the schema checks it
                max_epochs=schedule.epochs,
                logger=list(loggers),
                callbacks=[*own, *callbacks],
                plugins=[AtomicCheckpointIO(run)],
                default_root_dir=folder,
                enable_checkpointing=True,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                # agents cache projected items while acting, and a later loss cannot use inference tensors
                inference_mode=False,
                use_distributed_sampler=False,
            )
            interruption.training = True
            try:
                train_chunks, evaluations = Chunks(schedule.chunks_per_epoch), Chunks(1)
                trainer.fit(module, train_dataloaders=train_chunks, val_dataloaders=evaluations, ckpt_path=resume_from)
            except (TrainingDiverged, TuningDiverged) as error:
                raise type(error)(f"{error}. {earlier_checkpoint(folder / LAST)}") from None
            finally:
                interruption.training = False
        # the signal may have arrived during the last evaluation
        if interruption.signal_number is not None:
            raise interruption.stop()
        if not ranks.is_first:
            return None
        if module.average is not None:
            module.average.apply()
        selection = _selection(settings, checkpoints.state_dict(), stream.steps(agent), stream.unit, known)
    if settings.final_weights == "best":
        load_weights(agent, folder / best)
        if tuner is not None:
            tuner.load(encoder_weights(folder / best))
    save_weights(agent, folder / final)
    if tuner is not None:
        tuner.save(encoder_weights(folder / final))
    return selection


def _devices(device: torch.device, ranks: Ranks) -> dict[str, Any]:
    """The options of a Trainer that say where it computes."""
    if device.type == "cuda":
        return {"accelerator": "gpu", "devices": [device.index or 0]}
    return {"accelerator": "cpu", **ranks.trainer_options()}


def trained_before(
    agent: Agent, stream: Stream, settings: TrainerConfig, tuner: Tuner | None, saved: Mapping[str, Any], known: bool = True
) -> Selection:
    """Give the agent and the tuner the last weights of a training that is complete; returns how the final ones were chosen.

    known: whether the weights that were saved are those that were evaluated.
    """
    state = {name.removeprefix("agent."): value for name, value in saved["state_dict"].items() if name.startswith("agent.")}
    agent.load_state_dict(state)
    stream.load_state_dict(saved["recframe"])
    selection = _selection(settings, saved["callbacks"][RunCheckpoints.__qualname__], stream.steps(agent), stream.unit, known)
    if settings.weight_average is not None:
        average = WeightAverage(agent, agent.optimizers().values(), settings.weight_average)
        average.load_state_dict(saved["recframe"]["average"])
        average.apply()
    if tuner is not None:
        tuner.load_state_dict(saved["recframe"]["tuning"])
    return selection


def _early_stopping(settings: TrainerConfig) -> list[Callback]:
    if settings.patience is None:
        return []
    return [EarlyStopping(f"eval/{settings.monitor}", mode=settings.monitor_mode, patience=settings.patience, check_finite=False)]


def _selection(settings: TrainerConfig, best: Mapping[str, Any], steps: int, unit: str, known: bool) -> Selection:
    """How the final weights were chosen after a fit of `steps`. `best` is the state of `RunCheckpoints`.

    known: whether they are those that were evaluated.
    """
    measured = best.get("measured", {}).get(settings.final_weights, {}) if known else {}
    if settings.final_weights == "last":
        return Selection(steps, unit, settings.monitor, None, 0, 0, measured)
    counted = best["best_evaluations"], best["candidates"]
    return Selection(best["best_steps"], unit, settings.monitor, best["best_value"], *counted, measured)


def _require_optimizers(agent: Agent, settings: TrainerConfig) -> None:
    if agent.optimizers():
        return
    own = {field.name: field.default for field in fields(TrainerConfig)}
    names = ("weight_average", "learning_rate_schedule", "learning_rate_warmup")
    changed = [f"trainer.{name}" for name in names if getattr(settings, name) != own[name]]
    if changed:
        raise ConfigError([f"{name}: this agent learns nothing by gradients; leave it at its default" for name in changed])


def _checked(evaluate: Callable[[], dict[str, float]], monitor: str) -> Callable[[], dict[str, float]]:
    first = True

    def measured() -> dict[str, float]:
        nonlocal first
        metrics = evaluate()
        if first and monitor not in metrics:
            raise MonitorError(f"trainer.monitor={monitor!r} is not measured here; the metrics are: {', '.join(sorted(metrics))}")
        first = False
        # a metric may have no value, such as diversity if no user saw two items: that is no improvement
        return {monitor: math.nan, **metrics}

    return measured
