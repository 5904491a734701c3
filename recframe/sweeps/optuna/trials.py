"""The trials of a study as this process works on them: created, taken over from a process that died, and ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.sweeps.optuna.seeds import is_hopeless, mean_over_seeds
from recframe.sweeps.optuna.settings import Setting, Value
from recframe.sweeps.optuna.space import Space
from recframe.sweeps.optuna.study import sampler_of
from recframe.sweeps.optuna.verdicts import Verdict
from recframe.sweeps.optuna.workers import Workers
from recframe.sweeps.record import FAILED, FINISHED, PRUNED

log = logging.getLogger(__name__)

# attributes of a trial
WORKER, SWEEP, OVERRIDES, REASON, SEED_VALUES, STOPPED_AFTER, RETRY_OF, PLACE = (
    "worker",
    "sweep",
    "overrides",
    "reason",
    "seed_values",
    "stopped_after_seeds",
    "retry_of",
    "folder",
)
STATES = {PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
DEFAULT_TRIALS = 20
CREATION_SECONDS = 600
"""After this time, a trial without settings in a database that other folders share is one whose process died."""


@dataclass
class RunningTrial:
    """A trial that this process works on.

    overrides: those of its jobs, without the seed.   seed_values: the objectives of the seeds that are done.
    place: the beginning of the names of its jobs' folders: its number, or of one that is tried again, that of the first try.
    """

    number: int
    place: int
    overrides: list[str]
    seed_values: dict[int, tuple[float, ...]] = field(default_factory=dict)


class Trials:
    """The trials of a study, of which this process works on some.

    Parameters
    ----------
    sweep: the folder of the sweep, in which each trial has a folder.   shared: whether the database may have trials of other folders.
    directions: "max" or "min" of each objective.   retries: whether trials that have failed are tried again.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        settings: OptunaSweeperConfig,
        workers: Workers,
        sweep: Path,
        *,
        shared: bool,
        directions: Sequence[str],
        retries: bool = False,
    ) -> None:
        self.study, self.space, self.settings, self.workers, self.shared = study, space, settings, workers, shared
        self.sweep = str(sweep.absolute())
        self.directions = list(directions)
        self.total = settings.n_trials or (len(space.grid) if settings.sampler == "grid" else DEFAULT_TRIALS)
        if settings.sampler == "grid":
            self._queue_grid()
        if retries:
            self._queue_failed()

    def take(self) -> RunningTrial | None:
        """A trial to work on: one of a process that died, or else a new one. None if the study has as many as it is to have."""
        with self.workers.study_lock:
            trials = self.study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.state is TrialState.RUNNING and self._is_left_over(trial):
                    log.info("trial %d goes on, which another process had begun", trial.number)
                    self.study.sampler = sampler_of(self.settings, trial.number)
                    return self._begin(trial.number)
            again = retried(trials)
            begun = sum(trial.state is not TrialState.WAITING and trial.number not in again for trial in trials)
            # those that are tried again have taken no other's place; a grid has no more trials than are queued
            waiting = [trial for trial in trials if trial.state is TrialState.WAITING]
            if not any(RETRY_OF in trial.user_attrs for trial in waiting) and (
                begun >= self.total or (self.settings.sampler == "grid" and not waiting)
            ):
                return None
            self.study.sampler = sampler_of(self.settings, len(trials))
            return self._begin(self.study.ask().number)

    def _is_left_over(self, trial: FrozenTrial) -> bool:
        """Whether the process that works on the trial died. Where other folders share the database, theirs are left alone."""
        worker = trial.user_attrs.get(WORKER)
        if worker is not None:
            return (not self.shared or trial.user_attrs[SWEEP] == self.sweep) and not self.workers.is_alive(worker)
        # its process died while it created the trial: in this folder it would hold the lock
        started = trial.datetime_start
        return not self.shared or started is None or (datetime.now() - started).total_seconds() > CREATION_SECONDS

    def _begin(self, number: int) -> RunningTrial:
        # of a trial that was begun before, it gives the values that the trial has
        trial = Trial(self.study, self._id(number))
        overrides = self.space.overrides(lambda setting: _suggested(trial, setting))
        # no attribute can be removed
        reason = {REASON: ""} if trial.user_attrs.get(REASON) else {}
        for attribute, value in {OVERRIDES: overrides, SWEEP: self.sweep, WORKER: self.workers.name, **reason}.items():
            trial.set_user_attr(attribute, value)
        values = {int(seed): tuple(value) for seed, value in trial.user_attrs.get(SEED_VALUES, {}).items()}
        return RunningTrial(number, trial.user_attrs.get(PLACE, number), overrides, values)

    def _queue_grid(self) -> None:
        """Queue all trials of the grid, in its order; those that were queued before a kill are known."""
        with self.workers.study_lock:
            known = [_fixed(trial) for trial in self.study.get_trials(deepcopy=False)]
            for point in self.space.grid:
                if point not in known:
                    self.study.enqueue_trial(point)

    def _queue_failed(self) -> None:
        """Queue the settings of failed trials once more. They are tried again in the same folders, without the seeds that are done."""
        with self.workers.study_lock:
            trials = self.study.get_trials(deepcopy=False)
            again = retried(trials)
            for trial in trials:
                own = not self.shared or trial.user_attrs.get(SWEEP) == self.sweep
                if trial.state is TrialState.FAIL and own and trial.number not in again:
                    kept = {SEED_VALUES: trial.user_attrs[SEED_VALUES]} if SEED_VALUES in trial.user_attrs else {}
                    place = trial.user_attrs.get(PLACE, trial.number)
                    self.study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number, PLACE: place, **kept})

    def record(self, trial: RunningTrial, seed: int | None, verdict: Verdict) -> bool:
        """Record the verdict on a job; returns whether the trial has ended with it."""
        if verdict.state != FINISHED:
            self._set(trial.number, REASON, verdict.reason)
            self.study.tell(trial.number, state=STATES[verdict.state])
            level = logging.WARNING if verdict.state == FAILED else logging.INFO
            log.log(level, "trial %d %s: %s", trial.number, verdict.state, verdict.reason)
            return True
        if seed is None:
            self._finish(trial, [verdict.values])
            return True
        trial.seed_values[seed] = verdict.values
        self._set(trial.number, SEED_VALUES, {str(one): list(values) for one, values in trial.seed_values.items()})
        return self.settle(trial)

    def note_stopped(self, trial: RunningTrial, reason: str) -> None:
        """Take down why a job of a trial was stopped at a limit. The trial goes on when the search is started again."""
        self._set(trial.number, REASON, reason)
        log.warning("trial %d stopped: %s", trial.number, reason)

    def settle(self, trial: RunningTrial) -> bool:
        """End a trial whose seeds are all done, or that is hopeless after some of them; returns whether it has ended."""
        if not trial.seed_values:
            return False
        left = len(self.space.seeds) - len(trial.seed_values)
        if left and not self._is_hopeless(trial):
            return False
        if left:
            self._set(trial.number, STOPPED_AFTER, len(trial.seed_values))
        self._finish(trial, list(trial.seed_values.values()))
        return True

    def _finish(self, trial: RunningTrial, values: list[tuple[float, ...]]) -> None:
        means = mean_over_seeds(values)
        self.study.tell(trial.number, means)
        seeds = len(self.space.seeds)
        given_up = f", given up after {len(values)} of {seeds} seeds" if len(values) < seeds else ""
        log.info("trial %d finished: %s%s", trial.number, ", ".join(f"{value:.6g}" for value in means), given_up)

    def _is_hopeless(self, trial: RunningTrial) -> bool:
        """Whether further seeds of the trial are not worth their time."""
        if self.settings.hopeless is None or len(self.directions) > 1:
            return False
        whole = [one for one in self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]) if STOPPED_AFTER not in one.user_attrs]
        sign = 1.0 if self.directions[0] == "max" else -1.0
        best = max(whole, key=lambda one: sign * float(one.values[0]), default=None)
        if best is None:
            return False
        known = {int(seed): float(values[0]) for seed, values in best.user_attrs.get(SEED_VALUES, {}).items()}
        own = {seed: values[0] for seed, values in trial.seed_values.items()}
        return is_hopeless(own, known, self.directions[0], self.settings.hopeless)

    def _set(self, number: int, attribute: str, value: Any) -> None:
        self.study._storage.set_trial_user_attr(self._id(number), attribute, value)

    def _id(self, number: int) -> int:
        return self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)


def retried(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the failed trials that are tried again, or were."""
    return {trial.user_attrs[RETRY_OF] for trial in trials if RETRY_OF in trial.user_attrs}


def _suggested(trial: Trial, setting: Setting) -> Value:
    assert setting.distribution is not None
    value: Value = trial._suggest(setting.key, setting.distribution)
    return value


def _fixed(trial: FrozenTrial) -> dict[str, Any]:
    """The settings of a queued trial."""
    return dict(trial.system_attrs.get("fixed_params", trial.params))
