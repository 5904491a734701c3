"""The trials of a study in the one that follows it, whose seeds and values are others."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from recframe.sweeps.optuna.attributes import (
    OVERRIDES,
    PLACE,
    PLAIN_SEED,
    RETRY_OF,
    SEED_VALUES,
    STOPPED_AFTER,
    SWEEP,
    WORKER,
    seed_values_of,
    written_seed_values,
)
from recframe.sweeps.optuna.queueing import FIXED, queued_settings
from recframe.sweeps.optuna.seeds import mean_over_seeds
from recframe.sweeps.optuna.settings import Setting
from recframe.sweeps.optuna.space import Space, given_seed
from recframe.tracking.result import ResultError, read_result


@dataclass
class Carrying:
    """What becomes of each trial: one that has all that is wanted of it stays as it is, and one that has not waits for the rest.

    Parameters
    ----------
    space: the new values and seeds.   searched: the description of the space before, as in `Space.described`.
    given_up: whether trials that were given up as hopeless stay so.   sweep: the folder of the sweep; None: as each trial says.
    """

    space: Space
    searched: Mapping[str, Any]
    given_up: bool
    sweep: Path | None

    def missing_values(self, trials: Sequence[FrozenTrial]) -> dict[str, tuple[FrozenTrial, Any]]:
        """The first trial, and its value, for each setting whose value it has no longer."""
        found: dict[str, tuple[FrozenTrial, Any]] = {}
        for trial in self._kept(trials):
            for key, value in self._missing(trial).items():
                found.setdefault(key, (trial, value))
        return found

    def carried(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials of the new study, in order. Points of a grid whose values are left out are not among them, if none behind them ran."""
        return [self._carried(trial, trials) for trial in self._kept(trials)]

    def _kept(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Without those that never ran and whose values are gone, as long as that changes no number of one that was begun."""
        begun = max((trial.number for trial in trials if _was_begun(trial)), default=-1)
        return [one for one in trials if one.number < begun or _was_begun(one) or RETRY_OF in one.user_attrs or not self._missing(one)]

    def _missing(self, trial: FrozenTrial) -> dict[str, Any]:
        """The settings of a trial whose value is not among the new ones."""
        distributions = self.space.distributions
        values = {**self._now(trial, queued_settings(trial)), **self._now(trial, trial.params)}
        return {key: value for key, value in values.items() if key in distributions and not _contains(distributions[key], value)}

    def _now(self, trial: FrozenTrial, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a trial as the new values have them.

        Choices of which two are equal in Python, such as 1 and true, are known by their texts (`Setting`), and others by their values.
        """
        given = dict(text.split("=", 1) for text in trial.user_attrs.get(OVERRIDES, ()) if "=" in text)
        searched = self.space.searched
        return {key: _as_in(searched[key], value, given.get(key)) if key in searched else value for key, value in settings.items()}

    def _carried(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> FrozenTrial:
        one = copy.deepcopy(trial)
        distributions = {key: self.space.distributions[key] for key in trial.params}
        # a number that was one of several choices may have been written in another way
        params = self._now(trial, trial.params)
        one.params = {key: where.to_external_repr(where.to_internal_repr(params[key])) for key, where in distributions.items()}
        one.distributions = distributions
        if FIXED in one.system_attrs:
            one.system_attrs = {**one.system_attrs, FIXED: self._now(trial, queued_settings(trial))}
        known = seed_values_of(trial)
        judged_by = next(iter(self.searched["seeds"]), None)
        if self.space.seeds and judged_by is None and (judged_by := self._plain_seed(trial, trials)) is not None:
            one.set_user_attr(PLAIN_SEED, judged_by)
            if trial.state is TrialState.COMPLETE:
                known[judged_by] = tuple(trial.values)
        if known:
            one.set_user_attr(SEED_VALUES, written_seed_values(known))
        if self.space.seeds and judged_by != self.space.seeds[0] and _goes_on(trial, known):
            # another seed's learning curve: the trial will be judged by that of the first one
            one.intermediate_values = {}
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
        sweep = Path(begun.user_attrs[SWEEP]) if self.sweep is None else self.sweep
        try:
            # a setting such as ${oc.env:SEED} may be another one by now
            seed: int = read_result(sweep / str(begun.user_attrs.get(PLACE, begun.number)))["seed"]
            return seed
        except ResultError:
            return given_seed(overrides, self.space.seed_of(overrides))


def _goes_on(trial: FrozenTrial, known: Mapping[int, Any]) -> bool:
    """Whether a trial may be judged by a learning curve yet: it has not ended, or nobody knows with which seed."""
    return not trial.state.is_finished() or (trial.state is TrialState.COMPLETE and not known)


def _was_begun(trial: FrozenTrial) -> bool:
    return trial.state is not TrialState.WAITING or OVERRIDES in trial.user_attrs


def _waiting(one: FrozenTrial) -> FrozenTrial:
    """A trial that waits to be begun again, with its settings and the seeds that it has."""
    one.state, one.values = TrialState.WAITING, None
    one.datetime_start = one.datetime_complete = None
    one.user_attrs = {key: value for key, value in one.user_attrs.items() if key not in (WORKER, STOPPED_AFTER)}
    return one


def _as_in(setting: Setting, value: Any, text: str | None) -> Any:
    """A value as one of a setting: of choices, by its text on the command line, if it is known."""
    if text is None and isinstance(value, str):
        # of a trial that was queued
        text = value
    choices = {}
    if isinstance(setting.distribution, CategoricalDistribution):
        choices = dict(zip(setting.texts, setting.distribution.choices, strict=True))
        if text in choices:
            return choices[text]
        if _contains(setting.distribution, value):
            return value
    plain = _parsed(setting.key, text) if text is not None and isinstance(value, str) else value
    if not choices:
        return plain
    return next((choice for own, choice in choices.items() if _is_same(_parsed(setting.key, own), plain)), value)


def _parsed(key: str, text: str) -> Any:
    try:
        return OverridesParser.create().parse_override(f"{key}={text}").value()
    except HydraException:
        # a text that would need quotes on a command line
        return text


def _is_same(one: Any, other: Any) -> bool:
    # in Python, true is 1
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return any(_is_same(value, choice) for choice in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return distribution._contains(distribution.to_internal_repr(value))
