"""The loop of a search: jobs of trials are started in rounds, and what became of them is recorded, until all trials have ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from omegaconf import DictConfig, OmegaConf

from recframe.config import ConfigError, chosen_components
from recframe.config.checks.monitor import monitor_problems
from recframe.config.checks.stages import SIMULATED
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.sweeps.optuna.continuation import Continuation
from recframe.sweeps.optuna.space import SEED, Space
from recframe.sweeps.optuna.summary import Summary
from recframe.sweeps.optuna.trials import RunningTrial, Trials
from recframe.sweeps.optuna.verdicts import recorded_verdict, verdict_of
from recframe.sweeps.optuna.workers import Workers
from recframe.sweeps.outcomes import Outcome
from recframe.sweeps.record import STOPPED

log = logging.getLogger(__name__)

_RANDOM = (
    "knows only the settings that all trials have; those that only some choices have (%s) are drawn at random; hydra.sweeper.sampler=tpe "
    "learns from them, too"
)
PARTLY_RANDOM = {"gp": f"the Gaussian process {_RANDOM}", "nsgaii": f"NSGA-II {_RANDOM}"}
"""What is said of samplers that see the settings that all trials have in common."""


class Objectives(NamedTuple):
    """What trials are judged by: names of metrics, empty for the one that runs monitor, and "max" or "min" of each."""

    names: tuple[str, ...]
    directions: tuple[str, ...]


class Job(NamedTuple):
    """One run: a trial, or one seed of it.

    folder: its name in the folder of the sweep.   overrides: of its config.   judged: whether the trial may be pruned by it.
    """

    trial: RunningTrial
    seed: int | None
    folder: str
    overrides: list[str]
    judged: bool


class JobRunner(Protocol):
    """Runs jobs, by a launcher of Hydra's or in any other way."""

    def run(self, jobs: Sequence[Job]) -> Sequence[Outcome | None]:
        """Run jobs together, and return what became of each; None of those that were not started.

        Raises
        ------
        Stop: the sweep is stopped.
        """
        ...

    @property
    def stopped(self) -> bool:
        """Whether the sweep is to stop."""
        ...


class Search:
    """A search that this process works on, alone or beside others.

    Parameters
    ----------
    sweep: the folder of the sweep.   most: the largest number of jobs that are started together.   workers: this process among others.
    retries: whether trials that have failed are tried again.   may_change, note_change: as of `Continuation.opened`.
    """

    def __init__(
        self,
        settings: OptunaSweeperConfig,
        space: Space,
        objectives: Objectives,
        sweep: Path,
        runner: JobRunner,
        workers: Workers,
        most: int = 1,
        retries: bool = False,
        may_change: Collection[str] | None = None,
        note_change: Callable[[], object] = lambda: None,
    ) -> None:
        self.objectives, self.sweep, self.runner, self.most = objectives, sweep, runner, most
        # two processes that create the tables of a database at the same time fail
        with workers.study_lock:
            studies = Continuation(settings, space, objectives, workers)
            study, self.space = studies.opened(may_change, note_change)
        space = self.space
        self.summary = Summary(study, space, objectives.names, objectives.directions, sweep)
        shared = settings.storage is not None
        judged = objectives.directions
        self.trials = Trials(study, space, settings, workers, shared=shared, directions=judged, retries=retries)
        if settings.sampler in PARTLY_RANDOM and (partial := space.conditional):
            log.warning(PARTLY_RANDOM[settings.sampler], ", ".join(partial))
        self.running: dict[int, RunningTrial] = {}

    def run(self) -> Summary:
        """Run trials until the study has as many as it is to have, or the sweep is to stop, and return what was found.

        Raises
        ------
        Stop: the sweep is stopped; its running trials go on when it is started again.
        ConfigError: if an objective is not measured.
        """
        try:
            while not self.runner.stopped and (jobs := self._next_jobs()):
                self._run(jobs)
                self.summary.write()
        finally:
            self.summary.write()
        return self.summary

    def _next_jobs(self) -> list[Job]:
        """The jobs of the next round: one for each running trial, then new trials, then further seeds of the running ones."""
        jobs: list[Job] = []
        for trial in self.running.values():
            jobs += self._jobs_of(trial)[:1]
        while len(jobs) < self.most and (new := self.trials.take()) is not None:
            self.running[new.number] = new
            jobs += self._begun(new)[:1]
        for trial in self.running.values():
            jobs += self._jobs_of(trial)[1:]
        return jobs[: self.most]

    def _jobs_of(self, trial: RunningTrial) -> list[Job]:
        """The jobs that a trial still needs."""
        if not self.space.seeds:
            return [Job(trial, None, str(trial.place), trial.overrides, judged=True)]
        return [self._seeded(trial, seed) for seed in self.space.seeds if seed not in trial.seed_values]

    def _seeded(self, trial: RunningTrial, seed: int) -> Job:
        # the learning curves of the first seeds are compared with each other; a trial that has finished, with other seeds, stays so
        first = seed == self.space.seeds[0] and not trial.seed_values
        folder = str(trial.place) if seed == trial.plain_seed else f"{trial.place}_seed{seed}"
        return Job(trial, seed, folder, [*trial.overrides, f"{SEED}={seed}"], judged=first)

    def _begun(self, trial: RunningTrial) -> list[Job]:
        """The jobs that a trial still needs, of which another process may have finished some before it died."""
        ended = self.trials.settle(trial)
        for job in [] if ended else self._jobs_of(trial):
            verdict = recorded_verdict(self.sweep / job.folder, self.objectives.names)
            if verdict is not None and self.trials.record(trial, job.seed, verdict):
                ended = True
                break
        if ended:
            del self.running[trial.number]
        return [] if ended else self._jobs_of(trial)

    def _run(self, jobs: Sequence[Job]) -> None:
        for job, outcome in zip(jobs, self.runner.run(jobs), strict=True):
            if job.trial.number not in self.running:
                continue  # another seed has ended the trial
            verdict = None if outcome is None else verdict_of(outcome, self.sweep / job.folder, self.objectives.names)
            if outcome is not None and outcome.state == STOPPED and not self.runner.stopped:
                self.trials.note_stopped(job.trial, outcome.reason)
            # a job that was stopped goes on when the sweep is started again
            if verdict is None or self.trials.record(job.trial, job.seed, verdict):
                del self.running[job.trial.number]


def objectives_of(settings: OptunaSweeperConfig, cfg: DictConfig) -> Objectives:
    """What trials are judged by.

    Raises
    ------
    ConfigError: if an objective is not measured, the directions are not known, or settings do not go together.
    """
    names, directions = tuple(settings.objectives), tuple(settings.directions)
    monitor, mode = _monitored(cfg)
    problems: list[str] = []
    if len(set(names)) < len(names):
        problems.append("hydra.sweeper.objectives: a metric is named twice")
    if not directions and all(name == monitor for name in names) and mode is not None:
        directions = (mode,)
    elif len(directions) != max(1, len(names)):
        needed = ", ".join(names) or "the value that a run returns"
        problems.append(f"hydra.sweeper.directions: max or min is needed for each of: {needed}")
    if len(names) > 1 and settings.pruner != "none":
        problems.append(f"hydra.sweeper.pruner={settings.pruner} judges by one objective, and there are {len(names)}; use none")
    problems += [line for name in names for line in _unmeasured(cfg, name)]
    if problems:
        raise ConfigError(problems)
    return Objectives(names, directions)


def _monitored(cfg: DictConfig) -> tuple[str | None, str | None]:
    """The metric that a run monitors in its last stage, and whether it is to be large or small; nothing for other apps."""
    if "trainer" not in cfg or "stages" not in cfg:
        return None, None
    last = cfg.trainer if not cfg.stages or cfg.stages[-1] == SIMULATED else cfg.logged
    return last.monitor, last.monitor_mode


def _unmeasured(cfg: DictConfig, name: str) -> list[str]:
    """The problem with an objective, if the settings that no trial changes show that it is not measured."""
    if "stages" not in cfg:
        return []
    values: Any = OmegaConf.to_container(cfg, resolve=False)
    values["trainer"]["monitor"] = name
    own = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return [line.replace("trainer.monitor", "hydra.sweeper.objectives", 1) for line in monitor_problems(values, chosen_components(own))]
