"""Trials that wait in a study to be taken: those of a grid, and failed ones that are tried again. The caller holds the study's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from recframe.sweeps.optuna.attributes import PLACE, PLAIN_SEED, RETRY_OF, SEED_VALUES, SWEEP
from recframe.sweeps.optuna.space import Space

FIXED = "fixed_params"
"""The attribute in which Optuna has the settings of a queued trial."""


def queue_grid(study: optuna.Study, space: Space) -> None:
    """Queue all trials of the grid, in its order; those that were queued before a kill are known."""
    known = [queued_settings(trial) or trial.params for trial in study.get_trials(deepcopy=False)]
    for point in space.grid:
        if point not in known:
            study.enqueue_trial(point)


def queue_failed(study: optuna.Study, sweep: str | None) -> None:
    """Queue the settings of failed trials once more. They are tried again in the same folders, without the seeds that are done.

    Parameters
    ----------
    sweep: the folder of the sweep whose trials they are; None: all.
    """
    trials = study.get_trials(deepcopy=False)
    again = retried(trials)
    for trial in trials:
        own = sweep is None or trial.user_attrs.get(SWEEP) == sweep
        if trial.state is TrialState.FAIL and own and trial.number not in again:
            kept = {name: trial.user_attrs[name] for name in (SEED_VALUES, PLAIN_SEED) if name in trial.user_attrs}
            place = trial.user_attrs.get(PLACE, trial.number)
            study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number, PLACE: place, **kept})


def retried(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the failed trials that are tried again, or were."""
    return {trial.user_attrs[RETRY_OF] for trial in trials if RETRY_OF in trial.user_attrs}


def queued_settings(trial: FrozenTrial) -> Mapping[str, Any]:
    """The settings with which a trial was queued; none if it was not."""
    queued: Mapping[str, Any] = trial.system_attrs.get(FIXED, {})
    return queued
