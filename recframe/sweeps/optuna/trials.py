"""The trials of a study as this process works on them: created, taken over from a process that died, and ended."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError
from recframe.sweeps.optuna.attributes import (
    FOLLOWED_BY,
    OVERRIDES,
    PLACE,
    PLAIN_SEED,
    REASON,
    RETRY_OF,
    SEED_VALUES,
    STOPPED_AFTER,
    SWEEP,
    WORKER,
    seed_values_of,
    written_seed_values,
)
from recframe.sweeps.optuna.queueing import queue_failed, queue_grid, retried
from recframe.sweeps.optuna.seeds import is_hopeless, mean_over_seeds
from recframe.sweeps.optuna.settings import Setting, Value
from recframe.sweeps.optuna.space import Space
from recframe.sweeps.optuna.study import sampler_of
from recframe.sweeps.optuna.verdicts import Verdict
from recframe.sweeps.optuna.workers import Workers
from recframe.sweeps.record import FAILED, FINISHED, PRUNED
from recframe.tracking.resume_command import resume_command

log = logging.getLogger(__name__)

STATES = {PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
DEFAULT_TRIALS = 20


@dataclass
class RunningTrial:
    """A trial that this process works on.

    study, number: its study's name, and its number there.
    place: the beginning of the names of its jobs' folders: its number, or of one that is tried again, that of the first try.
    overrides: those of its jobs, without the seed.   seed_values: the objectives of the seeds that are done.
    plain_seed: the seed of the job whose folder has no seed in its name, if the trial was begun when each had one run.
    """

    study: str
    number: int
    place: int
    overrides: list[str]
    seed_values: dict[int, tuple[float, ...]]
    plain_seed: int | None = None


class Trials:
    """The trials of a study, of which this process works on some.

    Parameters
    ----------
    shared: whether the database may have trials of other folders.   directions: "max" or "min" of each objective.
    retries: whether trials that have failed are tried again.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        settings: OptunaSweeperConfig,
        workers: Workers,
        *,
        shared: bool,
        directions: Sequence[str],
        retries: bool = False,
    ) -> None:
        self.study, self.space, self.settings, self.workers, self.shared = study, space, settings, workers, shared
        self.directions = list(directions)
        self.total = settings.n_trials or (len(space.grid) if settings.sampler == "grid" else DEFAULT_TRIALS)
        with workers.study_lock:
            if settings.sampler == "grid":
                queue_grid(study, space)
            if retries:
                queue_failed(study, workers.sweep if shared else None)

    def take(self) -> RunningTrial | None:
        """A trial to work on: one of a process that died, one that waits, or else a new one; None if the study has all that it is to have.

        Raises
        ------
        UserError: another study has taken this one's place.
        """
        with self.workers.study_lock:
            trials = self.study.get_trials(deepcopy=False)
            for trial in trials:
                if trial.state is TrialState.RUNNING and self.workers.has_left(trial, self.shared):
                    log.info("trial %d goes on, which another process had begun", trial.number)
                    return self._begin_again(trial)
            again = retried(trials)
            waiting = [trial for trial in trials if trial.state is TrialState.WAITING]
            # those that are tried again have taken no other's place, and those that were begun before have theirs
            due = {trial.number: trial for trial in waiting if RETRY_OF in trial.user_attrs or OVERRIDES in trial.user_attrs}
            begun = len(due) + sum(trial.state is not TrialState.WAITING and trial.number not in again for trial in trials)
            queued = [trial for trial in waiting if trial.number not in due] if begun < self.total else []
            # other folders may take any of them meanwhile
            for trial in (*sorted(due.values(), key=self._promise), *queued):
                if self._claim(trial):
                    return self._begin_again(trial)
            if begun >= self.total or self.settings.sampler == "grid":
                # a grid has no more trials than are queued
                return None
            self.study.sampler = sampler_of(self.settings, len(trials))
            return self._begin(self.study.ask().number)

    def _promise(self, trial: FrozenTrial) -> float:
        """By what waiting trials are sorted: the best by its seeds so far comes first, for others are given up in comparison with it."""
        wanted = [values for seed, values in seed_values_of(trial).items() if seed in self.space.seeds]
        if not wanted or len(self.directions) > 1:
            return math.inf
        (mean,) = mean_over_seeds(wanted)
        return -mean if self.directions[0] == "max" else mean

    def _claim(self, trial: FrozenTrial) -> bool:
        """Let a waiting trial run; returns False if a process of another folder has taken it."""
        try:
            return self.study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    def _begin_again(self, trial: FrozenTrial) -> RunningTrial:
        whole = OVERRIDES in trial.user_attrs
        # one that has all its settings needs none of those that a model chooses
        self.study.sampler = RandomSampler() if whole else sampler_of(self.settings, trial.number)
        return self._begin(trial.number)

    def _begin(self, number: int) -> RunningTrial:
        # of a trial that was begun before, it gives the values that the trial has
        trial = Trial(self.study, self._id(number))
        overrides = self.space.overrides(lambda setting: _suggested(trial, setting))
        # no attribute can be removed
        reason = {REASON: ""} if trial.user_attrs.get(REASON) else {}
        for attribute, value in {OVERRIDES: overrides, SWEEP: self.workers.sweep, WORKER: self.workers.name, **reason}.items():
            trial.set_user_attr(attribute, value)
        # after the trial is there to be seen: who takes the study's place looks for it after telling so
        if self.shared and (follower := self.study.user_attrs.get(FOLLOWED_BY)):
            raise UserError(
                f"the study {self.study.study_name!r} goes on as {follower['study']!r}, with other seeds or values, which "
                f"{follower['sweep']} has given it; repeat them here with {resume_command(Path(self.workers.sweep))} ..."
            )
        attributes = trial.user_attrs
        return RunningTrial(
            self.study.study_name,
            number,
            attributes.get(PLACE, number),
            overrides,
            seed_values_of(self.study._storage.get_trial(trial._trial_id)),
            attributes.get(PLAIN_SEED),
        )

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
        self._set(trial.number, SEED_VALUES, written_seed_values(trial.seed_values))
        return self.settle(trial)

    def note_stopped(self, trial: RunningTrial, reason: str) -> None:
        """Take down why a job of a trial was stopped at a limit. The trial goes on when the search is started again."""
        self._set(trial.number, REASON, reason)
        log.warning("trial %d stopped: %s", trial.number, reason)

    def settle(self, trial: RunningTrial) -> bool:
        """End a trial whose seeds are all done, or that is hopeless after some of them; returns whether it has ended."""
        wanted = {seed: trial.seed_values[seed] for seed in self.space.seeds if seed in trial.seed_values}
        if not wanted:
            return False
        left = len(self.space.seeds) - len(wanted)
        if left and not self._is_hopeless(wanted):
            return False
        if left:
            self._set(trial.number, STOPPED_AFTER, len(wanted))
        self._finish(trial, list(wanted.values()))
        return True

    def _finish(self, trial: RunningTrial, values: list[tuple[float, ...]]) -> None:
        means = mean_over_seeds(values)
        self.study.tell(trial.number, means)
        seeds = len(self.space.seeds)
        given_up = f", given up after {len(values)} of {seeds} seeds" if len(values) < seeds else ""
        log.info("trial %d finished: %s%s", trial.number, ", ".join(f"{value:.6g}" for value in means), given_up)

    def _is_hopeless(self, values: Mapping[int, tuple[float, ...]]) -> bool:
        """Whether further seeds of a trial with these values are not worth their time."""
        if self.settings.hopeless is None or len(self.directions) > 1:
            return False
        whole = [one for one in self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]) if STOPPED_AFTER not in one.user_attrs]
        sign = 1.0 if self.directions[0] == "max" else -1.0
        best = max(whole, key=lambda one: sign * float(one.values[0]), default=None)
        if best is None:
            return False
        known = {seed: one[0] for seed, one in seed_values_of(best).items()}
        own = {seed: one[0] for seed, one in values.items()}
        return is_hopeless(own, known, self.directions[0], self.settings.hopeless)

    def _set(self, number: int, attribute: str, value: Any) -> None:
        self.study._storage.set_trial_user_attr(self._id(number), attribute, value)

    def _id(self, number: int) -> int:
        return self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)


def _suggested(trial: Trial, setting: Setting) -> Value:
    assert setting.distribution is not None
    value: Value = trial._suggest(setting.key, setting.distribution)
    return value
