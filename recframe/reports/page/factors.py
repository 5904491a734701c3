"""Effect and importance of each setting that was varied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recframe.evaluation.statistics import student_quantile

MOST_LEVELS = 8
"""Numbers with more different values than this are put into `BINS` groups of about equal size."""
BINS = 4


@dataclass(frozen=True)
class Effect:
    """The runs with one value of a setting: their mean result, its 95 % interval (Student's t over runs) and their number."""

    level: str
    mean: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True)
class Factor:
    """A setting with the effects of its values.

    share: of the variance between runs, how much the setting explains alone (epsilon squared: corrected for the number of its values, so
    that a setting without any effect has about 0); NaN if it cannot be told.
    """

    key: str
    effects: tuple[Effect, ...]
    share: float


def factor(key: str, levels: Sequence[str | None], results: np.ndarray) -> Factor:
    """The effects of a setting on the results `[R]` of runs that have these levels of it."""
    names = grouped(levels)
    order = sorted(set(names), key=_place)
    groups = {name: results[[place for place, level in enumerate(names) if level == name]] for name in order}
    effects = tuple(Effect(name, *_mean_interval(values), len(values)) for name, values in groups.items())
    return Factor(key, effects, _explained(list(groups.values())))


def grouped(levels: Sequence[str | None]) -> list[str]:
    """The levels as the page shows them: many different numbers become ranges, beside "-" where runs lack the setting."""
    numbers = [as_number(level) for level in levels]
    known = [number for number in numbers if number is not None]
    if len(known) < sum(level is not None for level in levels) or len(set(known)) <= MOST_LEVELS:
        return ["-" if level is None else level for level in levels]
    edges = np.quantile(known, np.linspace(0, 1, BINS + 1))

    def of(number: float) -> str:
        place = int(np.clip(np.searchsorted(edges, number, side="right") - 1, 0, BINS - 1))
        return f"{edges[place]:.3g} to {edges[place + 1]:.3g}"

    return ["-" if number is None else of(number) for number in numbers]


def as_number(text: str | None) -> float | None:
    """The value of a setting as a number; None if it is none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _place(level: str) -> tuple[int, float, str]:
    number = as_number(level.split(" to ", maxsplit=1)[0])
    return (1, 0.0, level) if number is None else (0, number, level)


def _mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return mean, math.nan, math.nan
    reach = float(student_quantile(count - 1, 0.95) * values.std(ddof=1) / math.sqrt(count))
    return mean, mean - reach, mean + reach


def _explained(groups: Sequence[np.ndarray]) -> float:
    """Epsilon squared: 1 minus the variance within groups by that of all, each with its degrees of freedom (Kelley, 1935)."""
    results = np.concatenate(list(groups)) if groups else np.zeros(0)
    total, within = len(results) - 1, len(results) - len(groups)
    if within < 1 or len(groups) < 2 or np.ptp(results) == 0.0:
        return math.nan
    inside = sum(float(((values - values.mean()) ** 2).sum()) for values in groups) / within
    return max(0.0, 1.0 - inside / (float(((results - results.mean()) ** 2).sum()) / total))


def positions(levels: Sequence[str | None]) -> list[float | None]:
    """Where each level is on an axis from 0 to 1: numbers by their value, or its logarithm if they are far apart; others in turn."""
    numbers = [as_number(level) for level in levels]
    known = [number for number in numbers if number is not None]
    if known and all(number is not None or level is None for number, level in zip(numbers, levels, strict=True)):
        low, high = min(known), max(known)
        logarithmic = low > 0 and high / low >= 50

        def place(number: float) -> float:
            if low == high:
                return 0.5
            return math.log(number / low) / math.log(high / low) if logarithmic else (number - low) / (high - low)

        return [None if number is None else place(number) for number in numbers]
    order = {name: place for place, name in enumerate(sorted({level or "-" for level in levels}, key=_place))}
    return [order[level or "-"] / max(len(order) - 1, 1) if len(order) > 1 else 0.5 for level in levels]


def pareto(points: Mapping[str, tuple[float, float]], signs: tuple[float, float]) -> list[str]:
    """The names of those points (x, y) that no other beats in both, by x. Multiplied by the `signs`, 1 or -1, higher values are better."""
    sign, sign_y = signs
    front: list[str] = []
    best = -math.inf
    for name, (_, y) in sorted(points.items(), key=lambda item: (-sign * item[1][0], -sign_y * item[1][1])):
        if sign_y * y > best:
            front.append(name)
            best = sign_y * y
    return front[::-1] if sign > 0 else front
