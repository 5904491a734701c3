"""The loop of a search: jobs of trials are started in rounds, and what became of them is recorded, until all trials have ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from recframe.config import ConfigError, chosen_components
from recframe.config.checks.monitor import monitor_problems
from recframe.config.checks.stages import SIMULATED
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import Stop
from recframe.sweeps.optuna.outcomes import recorded_outcome, returned_outcome
from recframe.sweeps.optuna.space import SEED, Space
from recframe.sweeps.optuna.study import create_study
from recframe.sweeps.optuna.summary import Summary
from recframe.sweeps.optuna.trials import RunningTrial, Trials
from recframe.sweeps.optuna.workers import Workers, wait_until_free

log = logging.getLogger(__name__)

FREE_SECONDS = 60
"""How long a job that goes on waits for a process that still saves its checkpoint."""


class Objectives(NamedTuple):
    """What trials are judged by: names of metrics, empty for the one that runs monitor, and "max" or "min" of each."""

    names: tuple[str, ...]
    directions: tuple[str, ...]


class Job(NamedTuple):
    """One run: a trial, or one seed of it."""

    trial: RunningTrial
    seed: int | None
    folder: Path
    overrides: list[str]


class Search:
    """A search that this process works on, alone or beside others.

    Parameters
    ----------
    sweep: the folder of the sweep.   most: the largest number of jobs that are started together.
    """

    def __init__(
        self, settings: OptunaSweeperConfig, space: Space, objectives: Objectives, sweep: Path, launcher: Launcher, most: int
    ) -> None:
        self.settings, self.space, self.objectives, self.sweep = settings, space, objectives, sweep
        self.launcher, self.most = launcher, most
        self.name = settings.study_name or sweep.name
        self.running: dict[int, RunningTrial] = {}
        self.launched = 0

    def run(self) -> None:
        """Run trials until the study has as many as it is to have, and say what was found.

        Raises
        ------
        JobStopped, Stop: the sweep is stopped; its running trials go on when it is started again.
        Stop: trials failed, after all have ended.
        """
        described = {**self.space.described(), "objectives": list(self.objectives.names), "directions": list(self.objectives.directions)}
        study = create_study(self.settings, self.sweep, self.objectives.directions, described, self.name)
        summary = Summary(study, self.space, self.objectives.names, self.objectives.directions, self.sweep)
        with Workers(self.sweep).working() as workers:
            self.trials = Trials(
                study,
                self.space,
                self.settings,
                workers,
                self.sweep,
                shared=self.settings.storage is not None,
                directions=self.objectives.directions,
            )
            try:
                while jobs := self._next_jobs():
                    self._launch(jobs)
                    summary.write()
            finally:
                summary.write()
        summary.show()
        failed = len(study.get_trials(deepcopy=False, states=[TrialState.FAIL]))
        if failed:
            raise Stop(f"{failed} of {len(study.get_trials(deepcopy=False))} trials failed; see {summary.path}", 1)

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
            return [self._job(trial, None)]
        return [self._job(trial, seed) for seed in self.space.seeds if seed not in trial.seed_values]

    def _job(self, trial: RunningTrial, seed: int | None) -> Job:
        name = str(trial.number) if seed is None else f"{trial.number}_seed{seed}"
        own = [f"hydra.sweep.subdir={name}"]
        if seed is not None:
            own.append(f"{SEED}={seed}")
        # the learning curves of the first seeds are compared with each other
        if seed is None or seed == self.space.seeds[0]:
            own.append(f"hydra.sweeper.trial={trial.number}")
        return Job(trial, seed, self.sweep / name, [*trial.overrides, *own])

    def _begun(self, trial: RunningTrial) -> list[Job]:
        """The jobs that a trial still needs, of which another process may have finished some before it died."""
        ended = self.trials.settle(trial)
        for job in [] if ended else self._jobs_of(trial):
            outcome = recorded_outcome(job.folder, self.objectives.names)
            if outcome is None:
                wait_until_free(job.folder, FREE_SECONDS)
            elif self.trials.record(trial, job.seed, outcome):
                ended = True
                break
        if ended:
            del self.running[trial.number]
        return [] if ended else self._jobs_of(trial)

    def _launch(self, jobs: Sequence[Job]) -> None:
        first = self.launched
        self.launched += len(jobs)
        returned = self.launcher.launch([job.overrides for job in jobs], initial_job_idx=first)
        stopped: Exception | None = None
        for job, one in zip(jobs, returned, strict=True):
            if job.trial.number not in self.running:
                continue  # another seed has ended the trial
            try:
                outcome = returned_outcome(one, job.folder, self.objectives.names)
            except ConfigError:
                raise
            except Exception as error:
                stopped = error
                continue
            if self.trials.record(job.trial, job.seed, outcome):
                del self.running[job.trial.number]
        if stopped is not None:
            raise stopped


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
