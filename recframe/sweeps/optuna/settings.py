"""The settings of a search: each override of the command line with the values that it may have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from recframe.config import ConfigError

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Setting:
    """An override: a fixed one, or one whose value is searched.

    key: as on the command line, with "+" if it is added.   text: the fixed value as on the command line, or the whole of a removal.
    distribution: the values of a searched one; None of a fixed one.   texts: each choice as on the command line, in their order.
    """

    key: str
    text: str = ""
    distribution: BaseDistribution | None = None
    texts: tuple[str, ...] = ()

    def override(self, value: Value) -> str:
        """The override with a value of the distribution, as on a command line; of a fixed one, itself."""
        if self.distribution is None:
            return self.text
        if isinstance(self.distribution, CategoricalDistribution):
            return f"{self.key}={self.texts[int(self.distribution.to_internal_repr(value))]}"
        return f"{self.key}={value!r}"

    def values(self) -> list[Value]:
        """All values, for a grid.

        Raises
        ------
        ConfigError: if they cannot be counted.
        """
        distribution = self.distribution
        if distribution is None:
            return [None]
        if isinstance(distribution, CategoricalDistribution):
            return list(distribution.choices)
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        if distribution.step is None or distribution.log:
            raise ConfigError([f"{self.key}: hydra.sweeper.sampler=grid cannot try all values of an interval; give choices, or a range()"])
        count = round((distribution.high - distribution.low) / distribution.step)
        return [_plain(distribution.low + i * distribution.step) for i in range(count + 1)]

    def largest(self) -> Value:
        """The largest number, or the first of choices that are none."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            numbers = [value for value in distribution.choices if isinstance(value, (int, float))]
            return max(numbers) if len(numbers) == len(distribution.choices) else distribution.choices[0]
        return distribution.high if isinstance(distribution, (FloatDistribution, IntDistribution)) else None


def setting_of(override: Override, integer: bool) -> Setting:
    """The setting of a parsed override. Intervals have the tags `log` and `int`.

    Parameters
    ----------
    integer: whether the option is an integer, so that an interval of it is one of integers.

    Raises
    ------
    ConfigError: if the values cannot be searched.
    """
    key, value = override.get_key_element(), override._value
    if not override.is_sweep_override():
        return Setting(key, override.input_line or "")
    if isinstance(value, IntervalSweep):
        return Setting(key, distribution=_interval(key, value, integer))
    if isinstance(value, RangeSweep):
        return _range(key, value)
    return _choice(key, [(Override._convert_value(one), Override._get_value_element_as_str(one)) for one in override.sweep_iterator()])


def _interval(key: str, interval: IntervalSweep, integer: bool) -> BaseDistribution:
    low, high = interval.start, interval.end
    assert low is not None
    assert high is not None
    log = _is_log(key, interval.tags)
    integer = integer or "int" in interval.tags or (isinstance(low, int) and isinstance(high, int))
    if integer:
        low, high = math.ceil(low), math.floor(high)
    if low > high:
        raise ConfigError([f"{key}: interval({interval.start},{interval.end}) is empty; write the smaller end first"])
    if log and low <= 0:
        raise ConfigError([f"{key}: a logarithmic interval must begin above 0, not at {low}"])
    return IntDistribution(int(low), int(high), log=log) if integer else FloatDistribution(float(low), float(high), log=log)


def _range(key: str, sweep: RangeSweep) -> Setting:
    """A range has Hydra's meaning: its end is not in it."""
    values = sorted(_plain(value) for value in sweep.range())
    if not values:
        raise ConfigError([f"{key}: range({sweep.start},{sweep.stop},{sweep.step}) is empty"])
    log, step = _is_log(key, sweep.tags), abs(sweep.step)
    if len(values) == 1:
        return Setting(key, f"{key}={values[0]!r}")
    if log and step != 1:
        raise ConfigError([f"{key}: a logarithmic range has steps of 1; use tag(log,int,interval({values[0]},{values[-1]}))"])
    if all(isinstance(value, int) for value in values):
        return Setting(key, distribution=IntDistribution(int(values[0]), int(values[-1]), log=log, step=1 if log else int(step)))
    return Setting(key, distribution=FloatDistribution(values[0], values[-1], step=step))


def _choice(key: str, choices: Sequence[tuple[Any, str]]) -> Setting:
    # lists and mappings are known by their text
    plain = all(isinstance(value, Value) for value, _ in choices)
    unique = dict.fromkeys(choices if plain else [(text, text) for _, text in choices])
    values, texts = zip(*unique, strict=True)
    if len(values) == 1:
        return Setting(key, f"{key}={texts[0]}")
    if len(set(values)) < len(values):
        # such as 1 and true, which are equal in Python
        values = texts
    return Setting(key, distribution=CategoricalDistribution(values), texts=texts)


def _is_log(key: str, tags: set[str]) -> bool:
    if unknown := sorted(tags - {"log", "int"}):
        raise ConfigError([f"{key}: there is no tag {unknown[0]!r}; there are log and int"])
    return "log" in tags


def _plain(value: float) -> int | float:
    """Without the digits that a sum of steps adds to a number."""
    return value if isinstance(value, int) else round(value, 12)
