"""The stages of a run: fits of the same networks, one after the other, on a log and in a simulator."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from omegaconf import OmegaConf

from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed, seed_everything
from recframe.config.schema.run import LoggedConfig, TrainerConfig
from recframe.experience import Collector, LoggedStream, SimulatedStream, Stream
from recframe.interfaces import Agent, Environment, NoExperience, StateTracker, UserDivision, dividing_users
from recframe.runner.final_evaluation import periodic_evaluation
from recframe.runner.ranking import periodic_ranking
from recframe.tracking.counter import BATCHES, ENV_STEPS, STEPS
from recframe.training import BEST, FINAL, Selection, StageRecord, fit, stage_at

log = logging.getLogger(__name__)

LOGGED: Final = "logged"


@dataclass(frozen=True)
class Stage:
    """One fit. `stream` makes its batches (None: the agent learns nothing), `evaluate` gives the metrics between epochs."""

    name: str
    settings: TrainerConfig
    stream: Stream | None
    evaluate: Callable[[], dict[str, float]]


def counter_of(stages: list[str]) -> str:
    """What the metrics of a run with these stages are logged against."""
    if LOGGED not in stages:
        return ENV_STEPS
    return BATCHES if len(stages) == 1 else STEPS


def stages_of(parts: Parts, agent: Agent, environment: Environment, part: UserDivision | None = None) -> list[Stage]:
    """The stages of the run, in order. `environment` is the one to train in, of the users of this `part` (None: of all)."""
    trainer: Any = OmegaConf.to_object(parts.cfg.trainer)
    makers = {LOGGED: _logged, "simulated": _simulated}
    with dividing_users(part or UserDivision()):
        return [
            makers[name](parts, agent, environment, _with_start(trainer) if place or parts.cfg.init is not None else trainer)
            for place, name in enumerate(parts.cfg.stages)
        ]


def _with_start(trainer: TrainerConfig) -> TrainerConfig:
    """The settings of a fit that starts from trained weights, which must not be lost to worse ones.

    In a window of several evaluations the start would move the means of those after it, and would never be the best itself.
    """
    is_choice = trainer.final_weights == "best" and trainer.selection_window == 1
    return replace(trainer, evaluate_start=True) if trainer.evaluate_start is None and is_choice else trainer


def _simulated(parts: Parts, agent: Agent, environment: Environment, trainer: TrainerConfig) -> Stage:
    stream = None
    if not isinstance(agent.experience_in("simulated"), NoExperience):
        collector = Collector(environment, parts.rewards, derived_seed(parts.cfg.seed, "environment"))
        stream = SimulatedStream.of(agent, collector, trainer.chunk_steps, derived_seed(parts.cfg.seed, "replay"))
        if stream.chunk > trainer.env_steps:
            log.warning(
                "trainer.env_steps=%s: training ends after a whole chunk, and makes %s user-steps (trainer.chunk_steps=%d of %d users)",
                *(f"{trainer.env_steps:,}", f"{stream.chunk:,}", trainer.chunk_steps, stream.chunk // trainer.chunk_steps),
            )
    return Stage("simulated", trainer, stream, periodic_evaluation(parts, agent))


def _logged(parts: Parts, agent: Agent, environment: Environment, trainer: TrainerConfig) -> Stage:
    own: LoggedConfig = OmegaConf.to_object(parts.cfg.logged)  # type: ignore[assignment]
    assert own.monitor is not None  # validation names it
    stream = None
    if not isinstance(agent.experience_in(LOGGED), NoExperience):
        spec = environment.spec
        stream = LoggedStream.of(
            agent,
            parts.training_log(spec),
            history_length=spec.history_length,
            signals=spec.signals,
            chunk_batches=own.chunk_batches,
            seed=derived_seed(parts.cfg.seed, "log"),
            # what may be shown again to simulated users, their environment says
            exclude_seen=parts.cfg.evaluation.exclude_seen and not parts.simulates,
        )
    length = stream.chunk if stream is not None and stream.only_once else own.batches
    settings = replace(
        trainer,
        env_steps=length,
        evaluate_every=own.evaluate_every,
        monitor=own.monitor,
        monitor_mode=own.monitor_mode,
        patience=own.patience,
    )
    return Stage(LOGGED, settings, stream, periodic_ranking(parts, agent))


@dataclass(frozen=True)
class Trained:
    """What the stages of a run gave.

    selection: how the weights of the last stage were chosen; None if nothing was learned.
    batches: batches of the log that were learned from.   last: the last stage.
    """

    selection: Selection | None
    batches: int
    last: Stage

    def objectives(self, anew: bool = False) -> dict[str, float]:
        """The metrics of the agent's weights by name, as the last stage evaluates them; the monitored one is NaN if it has no value.

        They are those that training has measured of these weights. Only where it has measured none are they evaluated, or if `anew`.
        """
        measured = {} if anew or self.selection is None else self.selection.measured
        return dict(measured) or {self.last.settings.monitor: math.nan, **self.last.evaluate()}


def train_stages(agent: Agent, stages: list[Stage], folder: Path, resume_from: Path | None, seed: int, **options: Any) -> Trained:
    """Fit the agent in each stage, from the one in which the checkpoint was written on.

    Parameters
    ----------
    folder: the run's checkpoints.   resume_from: its `last.ckpt`, or None.   seed: the run's.
    options: those of `fit` that are the same for all stages.
    """
    # from the agent, so that all processes that train together agree on the evaluation for which the others wait
    fitted_before = any(module.random_steps > 0 for module in agent.modules() if isinstance(module, StateTracker))
    started, seconds_before = time.perf_counter(), options.pop("seconds_before", 0.0)
    first, before = (0, 0) if resume_from is None else stage_at(resume_from)
    counter = counter_of([stage.name for stage in stages])
    selection: Selection | None = None
    for index, stage in enumerate(stages[first:], first):
        last = index == len(stages) - 1
        if len(stages) > 1:
            log.info("stage %d of %d: %s", index + 1, len(stages), stage.name)
            # a later stage starts from the same random state whether or not the run was stopped before it
            seed_everything(derived_seed(seed, f"stage {stage.name}"))
        selection = fit(
            agent,
            stage.stream,
            stage.settings,
            folder=folder,
            evaluate=stage.evaluate,
            resume_from=resume_from if index == first else None,
            seconds_before=seconds_before + time.perf_counter() - started,
            stage=StageRecord(index, before, counter),
            best=BEST if last else f"{stage.name}_{BEST}",
            final=FINAL if last else f"{stage.name}.safetensors",
            fitted_before=fitted_before,
            **options,
        )
        if stage.stream is not None and stage.stream.unit == BATCHES:
            before += stage.stream.steps(agent)
    return Trained(selection, before, stages[-1])
