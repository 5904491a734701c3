"""The jobs of a command line, as far as they are known before it starts: one job, or one for each combination of a sweep's values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override

Job = tuple[int, ...]
"""The index of the job's choice on each axis."""


@dataclass(frozen=True)
class Axis:
    """An override and its possible values: one, the choices of a sweep, or none where the sweeper draws the values."""

    key: str
    texts: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def of(cls, override: Override) -> Axis:
        """The axis of a parsed override. Of an interval, it has the two ends; the values between them are left to the sweeper."""
        value = override.value()
        if isinstance(value, ChoiceSweep):
            texts = tuple(Override._get_value_element_as_str(choice) for choice in value.list)
            return cls(override.get_key_element(), texts, tuple(Override._convert_value(choice) for choice in value.list))
        if isinstance(value, IntervalSweep):
            ends = tuple(dict.fromkeys(_end(end) for end in (value.start, value.end) if end is not None))
            return cls(override.get_key_element(), tuple(map(repr, ends)), ends)
        if override.is_sweep_override():
            key = override.get_key_element()
            # a glob is expanded by the config groups that the override was parsed with
            texts = tuple(override.sweep_string_iterator()) if override.is_discrete_sweep() else ()
            parsed = OverridesParser.create().parse_overrides([f"{key}={text}" for text in texts])
            return cls(key, texts, tuple(one.value() for one in parsed))
        return cls(override.get_key_element(), (override.get_value_element_as_str(),), (value,))

    def __len__(self) -> int:
        return max(1, len(self.values))

    def override(self, choice: int) -> list[str]:
        """The override with one of its choices, as on a command line."""
        return [f"{self.key}={self.texts[choice]}"] if self.texts else []


def jobs(axes: Sequence[Axis]) -> Iterator[Job]:
    """All jobs of the grid."""
    return product(*(range(len(axis)) for axis in axes))


def some_jobs(groups: Sequence[Axis], values: Sequence[Axis]) -> Iterator[Job]:
    """For a search, which tries few of all combinations: those of the groups, and with each of them every single value."""
    longest = max(map(len, values), default=1)
    for chosen in jobs(groups):
        yield from ((*chosen, *(i % len(axis) for axis in values)) for i in range(longest))


def _end(end: float) -> int | float:
    """An end of an interval, which Hydra reads as a fraction also where it is an integer."""
    return int(end) if float(end).is_integer() else end


def describe(problem: str, failing: set[Job], checked: Sequence[Job], axes: Sequence[Axis]) -> str:
    """The problem, with the choices that cause it, unless all jobs have it or it names them itself."""
    telling: list[tuple[int, set[int], bool]] = []
    for number in range(len(axes)):
        bad = {job[number] for job in failing}
        if bad != {job[number] for job in checked}:
            telling.append((number, bad, all(job in failing for job in checked if job[number] in bad)))
    alone = [part for part in telling if part[2]]
    chosen = [min(alone, key=lambda part: len(part[1]))] if alone else telling
    conditions = [f"{axes[number].key}={','.join(axes[number].texts[choice] for choice in sorted(bad))}" for number, bad, _ in chosen]
    news = [text for text in conditions if text not in problem and not problem.startswith(f"{text.partition('=')[0]}:")]
    return f"{problem} (with {' '.join(news)})" if news else problem
