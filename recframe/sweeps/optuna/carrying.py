"""The trials of a study in the one that follows it, whose seeds and values are others."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from recframe.sweeps.optuna.attributes import (
    OVERRIDES,
    PLAIN_SEED,
    RETRY_OF,
    SEED_VALUES,
    STOPPED_AFTER,
    WORKER,
    seed_values_of,
    written_seed_values,
)
from recframe.sweeps.optuna.queueing import queued_settings
from recframe.sweeps.optuna.seeds import mean_over_seeds
from recframe.sweeps.optuna.space import SEED, Space


@dataclass
class Carrying:
    """What becomes of each trial: one that has all that is wanted of it stays as it is, and one that has not waits for the rest.

    Parameters
    ----------
    space: the new values and seeds.   searched: the description of the space before, as in `Space.described`.
    given_up: whether trials that were given up as hopeless stay so.
    """

    space: Space
    searched: Mapping[str, Any]
    given_up: bool

    def missing_values(self, trials: Sequence[FrozenTrial]) -> dict[str, tuple[FrozenTrial, Any]]:
        """The first trial, and its value, for each setting whose value it has no longer."""
        found: dict[str, tuple[FrozenTrial, Any]] = {}
        distributions = self.space.distributions
        for trial in trials:
            for key, value in {**queued_settings(trial), **trial.params}.items():
                if key in distributions and not _contains(distributions[key], value):
                    found.setdefault(key, (trial, value))
        return found

    def carried(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials of the new study, in order."""
        return [self._carried(trial, trials) for trial in trials]

    def _carried(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> FrozenTrial:
        one = copy.deepcopy(trial)
        distributions = {key: self.space.distributions[key] for key in trial.params}
        # a number that was one of several choices may have been written in another way
        one.params = {key: where.to_external_repr(where.to_internal_repr(trial.params[key])) for key, where in distributions.items()}
        one.distributions = distributions
        known = seed_values_of(trial)
        if self.space.seeds and not self.searched["seeds"] and (seed := self._plain_seed(trial, trials)) is not None:
            one.set_user_attr(PLAIN_SEED, seed)
            if trial.state is TrialState.COMPLETE:
                known[seed] = tuple(trial.values)
        if known:
            one.set_user_attr(SEED_VALUES, written_seed_values(known))
        if trial.state is TrialState.COMPLETE:
            return self._ended(one, {seed: known[seed] for seed in self.space.seeds if seed in known})
        return _waiting(one) if trial.state is TrialState.RUNNING else one

    def _ended(self, one: FrozenTrial, wanted: Mapping[int, tuple[float, ...]]) -> FrozenTrial:
        """A finished trial with the values of those of the wanted seeds that it has."""
        lacks = len(wanted) < len(self.space.seeds)
        given_up = STOPPED_AFTER in one.user_attrs and self.given_up and bool(wanted)
        if lacks and not given_up:
            return _waiting(one)
        attributes = {key: value for key, value in one.user_attrs.items() if key != STOPPED_AFTER}
        one.user_attrs = attributes | ({STOPPED_AFTER: len(wanted)} if lacks else {})
        if wanted:
            one.values = mean_over_seeds(list(wanted.values()))
        return one

    def _plain_seed(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int | None:
        """The seed of the one run of a trial; None if there was none yet."""
        begun = trial
        while OVERRIDES not in begun.user_attrs and RETRY_OF in begun.user_attrs:
            begun = trials[begun.user_attrs[RETRY_OF]]
        overrides = begun.user_attrs.get(OVERRIDES)
        if overrides is None:
            return None
        (given,) = [text.partition("=")[2] for text in overrides if text.startswith(f"{SEED}=")] or [""]
        return int(given) if given.isdecimal() else self.space.seed_of(overrides)


def _waiting(one: FrozenTrial) -> FrozenTrial:
    """A trial that waits to be begun again, with its settings and the seeds that it has."""
    one.state, one.values = TrialState.WAITING, None
    one.datetime_start = one.datetime_complete = None
    one.user_attrs = {key: value for key, value in one.user_attrs.items() if key not in (WORKER, STOPPED_AFTER)}
    return one


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        # in Python, true is 1
        return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return distribution._contains(distribution.to_internal_repr(value))
