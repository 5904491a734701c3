"""The space of a search: the settings of a command line, of which a trial gets those that its choices have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import BaseDistribution

from recframe.config import ConfigError
from recframe.config.apps import TRAIN
from recframe.config.compose.overrides import unknown_key
from recframe.config.compose.typed_text import declared_of
from recframe.config.schema.declared import holds_integer
from recframe.sweeps.optuna.settings import Setting, Value, setting_of

SEED = "seed"
Suggest = Callable[[Setting], Value]


@dataclass
class Space:
    """What is searched, and what all trials have in common.

    groups: choices of config groups, in the order of the command line.   values: all other settings.
    seeds: those of each trial; empty if each has one run, with the seed of its config.
    compose: the config of a choice for each group, given as overrides.
    """

    groups: Sequence[Setting]
    values: Sequence[Setting]
    seeds: Sequence[int]
    compose: Callable[[Sequence[str]], DictConfig]
    _composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)

    @classmethod
    def of(cls, overrides: Sequence[Override], is_group: Callable[[str], bool], compose: Callable[[Sequence[str]], DictConfig]) -> Space:
        """The space of the parsed overrides of a command line.

        Raises
        ------
        ConfigError: with a line for each override that cannot be searched, or if none is searched.
        """
        groups: list[Setting] = []
        values: list[Setting] = []
        seeds: list[int] = []
        problems: list[str] = []
        for override in overrides:
            try:
                if override.key_or_group == SEED and override.is_sweep_override():
                    seeds = _seeds(override)
                    continue
                setting = setting_of(override, holds_integer(declared_of(override.key_or_group, TRAIN)))
                chooses = "." not in override.key_or_group and is_group(override.key_or_group)
                (groups if chooses else values).append(setting)
            except ConfigError as error:
                problems += error.problems
        if not problems and all(setting.distribution is None for setting in (*groups, *values)):
            problems.append("hydra/sweeper=optuna: nothing is searched; give a setting several values, as in agent.gamma=interval(0.9,1)")
        if problems:
            raise ConfigError(problems)
        return cls(groups, values, seeds, compose)

    def overrides(self, suggest: Suggest) -> list[str]:
        """The overrides of a trial. `suggest` is asked for the value of each searched setting that the trial has."""
        chosen = [setting.override(self._value(setting, suggest)) for setting in self.groups]
        return [*chosen, *(setting.override(self._value(setting, suggest)) for setting in self._given(chosen))]

    @staticmethod
    def _value(setting: Setting, suggest: Suggest) -> Value:
        return None if setting.distribution is None else suggest(setting)

    def _given(self, chosen: Sequence[str]) -> Iterator[Setting]:
        """The values that are given to a trial with these choices: those whose keys its config has."""
        cfg = self._config(chosen)
        for setting in self.values:
            if setting.key.startswith(("+", "~")) or not unknown_key(setting.key, cfg):
                yield setting

    def _config(self, chosen: Sequence[str]) -> DictConfig:
        key = tuple(chosen)
        if key not in self._composed:
            self._composed[key] = self.compose(chosen)
        return self._composed[key]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The values of each searched setting, by its key."""
        return {key: setting.distribution for key, setting in self.searched.items() if setting.distribution is not None}

    @property
    def searched(self) -> dict[str, Setting]:
        """The searched settings, by their keys."""
        return {setting.key: setting for setting in (*self.groups, *self.values) if setting.distribution is not None}

    def seed_of(self, overrides: Sequence[str]) -> int | None:
        """The seed of the config of a trial with these overrides, without those of the seed; None if its config has none."""
        keys = {setting.key for setting in self.groups}
        seed = OmegaConf.select(self._config([text for text in overrides if text.partition("=")[0] in keys]), SEED)
        return seed if isinstance(seed, int) else None

    def with_fixed_seed_as_only_one(self) -> Space:
        """The same, with the fixed seed, if there is one, as the only one with which each trial is run."""
        seed = given_seed([setting.text for setting in self.values if setting.distribution is None], None)
        if self.seeds or seed is None:
            return self
        return replace(self, values=[setting for setting in self.values if not is_seed(setting.key)], seeds=[seed])

    @cached_property
    def conditional(self) -> list[str]:
        """The keys of the searched settings that some choices have and others lack."""
        searched = {setting.key: None for setting in self.values if setting.distribution is not None}
        if not searched:
            return []
        held = []
        for choice in product(*(setting.values() for setting in self.groups)):
            own = [setting.override(value) for setting, value in zip(self.groups, choice, strict=True)]
            held.append({setting.key for setting in self._given(own)})
        return [key for key in searched if not all(key in keys for keys in held)]

    @cached_property
    def grid(self) -> list[dict[str, Value]]:
        """The searched settings of each trial of a grid.

        Raises
        ------
        ConfigError: if a setting is an interval.
        """
        found: list[dict[str, Value]] = []
        for choice in product(*(setting.values() for setting in self.groups)):
            own = dict(zip(self.groups, choice, strict=True))
            given = list(self._given([setting.override(value) for setting, value in own.items()]))
            for rest in product(*(setting.values() for setting in given)):
                point = {**own, **dict(zip(given, rest, strict=True))}
                found.append({setting.key: value for setting, value in point.items() if setting.distribution is not None})
        return found

    def largest(self, most: int) -> list[list[str]]:
        """The overrides of the largest values, under `most` of the choices of groups at the most."""
        choices = list(product(*(setting.values() for setting in self.groups)))
        found = []
        for choice in choices[:: math.ceil(len(choices) / most)]:
            chosen = [setting.override(value) for setting, value in zip(self.groups, choice, strict=True)]
            found.append([*chosen, *(setting.override(setting.largest()) for setting in self._given(chosen))])
        return found

    def described(self) -> dict[str, Any]:
        """The space in plain values, by which a study that goes on is recognized."""
        searched = {key: repr(distribution) for key, distribution in self.distributions.items()}
        fixed = sorted(setting.text for setting in (*self.groups, *self.values) if setting.distribution is None)
        return {"searched": searched, "fixed": fixed, "seeds": list(self.seeds)}


def is_seed(key: str) -> bool:
    """Whether the key of an override, with its sign, is that of the seed."""
    return key.lstrip("+~") == SEED


def given_seed(overrides: Sequence[str], default: int | None) -> int | None:
    """The seed of a run with these overrides, of which the last counts; None if they do not say which number it is.

    Parameters
    ----------
    default: the seed if none of them gives one.
    """
    own = [text for text in overrides if is_seed(text.partition("=")[0])]
    if not own:
        return default
    value = OverridesParser.create().parse_override(own[-1]).value()
    try:
        # the option takes an integer in quotes, too
        return int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    except ValueError:
        return None


def _seeds(override: Override) -> list[int]:
    if isinstance(override._value, IntervalSweep):
        raise ConfigError([f"{SEED}: the seed is not searched; seed=range(5) runs every trial with each of five seeds, and takes the mean"])
    seeds = [Override._convert_value(value) for value in override.sweep_iterator()]
    if wrong := [seed for seed in seeds if not isinstance(seed, int) or isinstance(seed, bool)]:
        raise ConfigError([f"{SEED}: {wrong[0]!r} is not a seed; write whole numbers, as in seed=0,1,2"])
    return list(dict.fromkeys(int(seed) for seed in seeds))  # type: ignore[arg-type]
