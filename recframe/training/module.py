"""The LightningModule for every agent: collect a chunk of steps, then learn from it.

One `training_step` is a whole chunk (T steps of N users, then the agent's updates), so Lightning's overhead occurs once per chunk and
not once per gradient step.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from recframe.attribution import blaming, checked_losses
from recframe.config.schema.run import TrainerConfig
from recframe.experience import Stream
from recframe.interfaces import Agent, Transition, dividing_users, mean_of_all
from recframe.item_agents.prior_scores import prior_weights
from recframe.tracking.counter import BATCHES, ENV_STEPS, count_in_words
from recframe.tracking.finite import TrainingDiverged, require_numbers
from recframe.training.auxiliary import AuxiliaryHead
from recframe.training.culprits import culprit
from recframe.training.divergence import steps_advice
from recframe.training.learning_rates import LearningRates
from recframe.training.lm_tuning.tuner import Tuner
from recframe.training.progress import evaluation_text, training_text
from recframe.training.ranks import Ranks, own_part
from recframe.training.weight_average import WeightAverage

log = logging.getLogger(__name__)

REWARD = "reward"


@dataclass(frozen=True)
class StageRecord:
    """The place of a stage in its run.

    index: 0 for the first.   steps_before: the units that the stages before it had.   counter: what the run's metrics are logged against.
    """

    index: int = 0
    steps_before: int = 0
    counter: str = ENV_STEPS


class Chunks:
    """The "training data": one number for each chunk. Without a length, Lightning would prefetch and train on stale policies."""

    def __init__(self, num_chunks: int) -> None:
        self.num_chunks = num_chunks

    def __len__(self) -> int:
        return self.num_chunks

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.num_chunks))


class TrainingModule(pl.LightningModule):
    """Trains an agent on the experience it asks for.

    Parameters
    ----------
    stream: makes the batches of the stage.   settings: of the trainer.
    evaluate: returns the agent's metrics; called at the end of every epoch (an epoch is the time between two evaluations).
    auxiliary: an auxiliary task of the state tracker, or None.
    tuner: tunes the language model by the agent's losses; None: it is frozen.
    length: the length of the stage in units of the stream, for learning-rate schedules; None: `settings.env_steps`.
    stage: what the checkpoint and the loggers must know of the stage.   ranks: the processes that train together.
    """

    def __init__(
        self,
        agent: Agent,
        stream: Stream,
        settings: TrainerConfig,
        evaluate: Callable[[], dict[str, float]],
        auxiliary: AuxiliaryHead | None = None,
        tuner: Tuner | None = None,
        length: int | None = None,
        stage: StageRecord | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.agent = agent
        self.stream = stream
        self.settings = settings
        self.evaluate = evaluate
        self.auxiliary = auxiliary
        self.tuner = tuner
        self.length = length or settings.env_steps
        self.stage = stage or StageRecord()
        self.ranks = ranks or Ranks()
        self.learning_rates = LearningRates(settings)
        self.average = (
            None if settings.weight_average is None else WeightAverage(agent, agent.optimizers().values(), settings.weight_average)
        )
        self.latest: dict[str, float] = {}
        self.measured: dict[str, float] = {}
        self.seconds_before = 0.0  # how long the run had lasted before training began in this process
        self._started = time.perf_counter()
        self.complete = False  # whether the last epoch or early stopping was reached
        self._names = list(agent.optimizers())
        self._losses: dict[str, list[Tensor]] = {}
        self._gradient_norms: dict[str, list[Tensor]] = {}
        self._batch: Any = None  # the last that was learned from
        self._since = (time.perf_counter(), self.steps)

    @property
    def env_steps(self) -> int:
        """Env steps taken in training, over all users."""
        return self.agent.env_steps

    @property
    def steps(self) -> int:
        """The units of the stream that the stage has had: env steps over all users, or batches of a log."""
        return self.stream.steps(self.agent)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """The agent's optimizers, in the order of their names; one of them also trains the auxiliary head."""
        optimizers = self.agent.optimizers()
        if self.auxiliary is not None:
            self.auxiliary.add_to(optimizers)
        return list(optimizers.values())

    def on_fit_start(self) -> None:
        """Look up the optimizers, which Lightning has wrapped, once."""
        wrapped = self.optimizers()
        optimizers = cast("list[torch.optim.Optimizer]", wrapped if isinstance(wrapped, list) else [wrapped])
        self._optimizers = dict(zip(self._names, optimizers, strict=True))
        self._since = (time.perf_counter(), self.steps)

    def training_step(self, batch: int, batch_idx: int) -> None:
        """One chunk."""
        with dividing_users(self.ranks.part):
            self._chunk()

    def _chunk(self) -> None:
        # mixed precision applies to the losses, not to the simulator
        watched: list[tuple[str, Tensor]] = []
        with torch.autocast(self.device.type, enabled=False):
            rewards = self.stream.collect(self.agent)
            if rewards is not None:
                watched.append((REWARD, rewards))
        if self.auxiliary is not None:
            self.auxiliary.start_chunk()
        chunk = self.stream.chunk
        # in the middle of the chunk: at its start a warm-up, and at its end a schedule, would make it a chunk in vain
        self.learning_rates.set(self._all_optimizers(), (self.steps - chunk / 2) / self.length)
        for experience in self.stream.batches():
            if self.tuner is not None:
                self.tuner.begin_batch()
            self._batch = experience
            for name, loss in checked_losses(self.agent, experience, self._optimizers):
                with blaming(self.agent):
                    watched += self._step(name, loss, experience)
            with blaming(self.agent):
                self.stream.learned(self.agent.priorities())
            if self.tuner is not None:
                self.tuner.end_batch()
            if self.average is not None:
                self.average.update()
        # one transfer to the host per chunk
        # an agent that is fitted in closed form to a log has neither losses nor rewards
        if watched and not math.isfinite(float(torch.stack([value for _, value in watched]).sum())):
            self._report_divergence(watched)
        # counted over the whole run, since an epoch may be shorter than a logging interval
        if (self.steps // chunk) % self.settings.log_every == 0:
            self._log_training()

    def _all_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return self._optimizers if self.tuner is None else {**self._optimizers, "language_model": self.tuner.optimizer}

    def _step(self, name: str, loss: Tensor, experience: Transition) -> list[tuple[str, Tensor]]:
        """One step of the named optimizer; returns the values that must stay finite, in the order of their computation."""
        optimizer = self._optimizers[name]
        watched = [(f"loss of {name!r}", loss.detach())]
        self._losses.setdefault(name, []).append(loss.detach())
        if self.auxiliary is not None and self.auxiliary.optimizer == name:
            prediction = self.auxiliary.loss(experience)
            watched.append(("loss of the auxiliary head", prediction.detach()))
            # one step for both: with a step of its own, an adaptive optimizer would cancel the weight of the loss
            loss = loss + self.auxiliary.settings.weight * prediction
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.tuner is not None:
            self.tuner.collect(name, optimizer)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.ranks.average_gradients(parameters)
        if self.settings.gradient_clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(parameters, self.settings.gradient_clip)
            self._gradient_norms.setdefault(name, []).append(norm)
            watched.append((f"gradient of {name!r}", norm))
        optimizer.step()
        return watched

    def _report_divergence(self, watched: list[tuple[str, Tensor]]) -> None:
        when = count_in_words(self.steps, self.stream.unit)
        if (failure := culprit(self.agent, self.stream, self._batch)) is not None:
            raise failure.with_hint(f"after {when}")
        what = next((what for what, value in watched if not math.isfinite(float(value))), "sum of the losses")
        advice = "" if what == REWARD else steps_advice(self.agent, self.settings.gradient_clip)
        raise TrainingDiverged(f"training diverged: the {what} is no longer a number after {when}. {advice}".removesuffix(". "))

    def _log_training(self) -> None:
        now, steps = time.perf_counter(), self.steps
        metrics = {f"train/{self.stream.unit}_per_second": (steps - self._since[1]) / max(now - self._since[0], 1e-9)}
        metrics |= self.stream.metrics()
        metrics |= {f"loss/{name}": float(mean_of_all(torch.stack(values))) for name, values in self._losses.items()}
        metrics |= {f"gradient_norm/{name}": float(torch.stack(values).mean()) for name, values in self._gradient_norms.items()}
        with blaming(self.agent):
            told = self.agent.diagnostics() | prior_weights(self.agent)
            metrics |= {f"agent/{name}": float(value) for name, value in told.items()}
        metrics |= self.learning_rates.metrics(self._all_optimizers())
        metrics |= {} if self.auxiliary is None else self.auxiliary.metrics()
        metrics |= self.tuner.metrics() if self.tuner is not None else {}
        self._losses, self._gradient_norms, self._since = {}, {}, (now, steps)
        self._send(metrics)

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Evaluate the agent."""
        self.log_dict(self.evaluated(), logger=False, batch_size=1)

    def evaluated(self) -> dict[str, float]:
        """The agent's metrics, as they are logged, on text vectors of the language model that is saved with it."""
        # also what no loss reveals: a table, a posterior, weights after the last step
        advice = steps_advice(self.agent, self.settings.gradient_clip)
        when = f"after {count_in_words(self.steps, self.stream.unit)}"
        try:
            require_numbers(self.state_dict(), f" {when}", advice)
        except TrainingDiverged:
            # an agent without losses learns from anything
            if (failure := self.stream.not_finite()) is not None:
                raise failure.with_hint(when) from None
            raise
        if self.tuner is not None:
            self.tuner.refresh()
        with self.final_weights(), torch.autocast(self.device.type, enabled=False):
            # in double precision, which Lightning's own record is not
            self.measured = self.ranks.of_first(self.evaluate)
        metrics = {f"eval/{name}": value for name, value in self.measured.items()}
        self._send(metrics)
        if self.ranks.is_first:
            log.info("%s", evaluation_text(self.steps, self.stream.unit, self.latest))
        # evaluation time does not count in the training speed
        self._since = (time.perf_counter(), self.steps)
        return metrics

    def final_weights(self) -> AbstractContextManager[None]:
        """Within the block, the agent has the weights that are evaluated and saved: the averaged ones, or its own."""
        return nullcontext() if self.average is None else self.average.applied()

    def progress(self) -> tuple[int, str]:
        """The stage's steps so far, and the latest training metrics in words."""
        return self.steps, training_text(self.latest)

    def _send(self, metrics: dict[str, float]) -> None:
        self.latest |= metrics
        for logger in self.loggers:
            logger.log_metrics({**self._counters(), **metrics}, step=self.stage.steps_before + self.steps)

    def _counters(self) -> dict[str, float]:
        """The run's counter, and beside it the env steps where a log was learned from before them."""
        counted = {self.stage.counter: float(self.stage.steps_before + self.steps)}
        return counted if self.stage.counter in (ENV_STEPS, BATCHES) else {**counted, ENV_STEPS: float(self.agent.env_steps)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state that resuming needs in addition to weights and optimizers."""
        checkpoint["recframe"] = {
            **self.stream.state_dict(),
            "stage": self.stage.index,
            "steps": self.stage.steps_before + self.steps,
            "steps_before": self.stage.steps_before,
            "env_steps": self.agent.env_steps,
            "seconds": self.seconds_before + time.perf_counter() - self._started,
            "complete": self.complete,
            "device": self.agent.spec.device.type,
            "random": _random_state(),
            "losses": {name: torch.stack(values) for name, values in self._losses.items()},
            "gradient_norms": {name: torch.stack(values) for name, values in self._gradient_norms.items()},
            "average": self.average.state_dict() if self.average is not None else None,
            "tuning": self.tuner.state_dict() if self.tuner is not None else None,
            "ranks": self.ranks.gathered({**self.stream.state_dict(), "random": _random_state(), "agent": own_part(self.agent)}),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore that state."""
        saved = checkpoint["recframe"]
        if not self.ranks.is_first:
            saved = {**saved, **saved["ranks"][self.ranks.part.rank - 1]}
            # loaded after this
            checkpoint["state_dict"] |= {f"agent.{name}": value for name, value in saved["agent"].items()}
        self.stream.load_state_dict(saved)
        device = self.agent.spec.device
        self._losses = {name: list(values.to(device)) for name, values in saved["losses"].items()}
        self._gradient_norms = {name: list(values.to(device)) for name, values in saved["gradient_norms"].items()}
        if self.average is not None and saved.get("average") is not None:
            self.average.load_state_dict(saved["average"])
        if self.tuner is not None:
            self.tuner.load_state_dict(saved["tuning"])
        _restore_random_state(saved["random"])


def _random_state() -> dict[str, Any]:
    """The state of the process-wide generators, from which a plugin's dropout may draw, as tensors and plain values."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys).astype(np.int64)), int(position), int(has_gauss), float(cached)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _restore_random_state(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
