"""Learning curves from the runs' metrics.csv, and their bands over seeds."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recframe.tracking.counter import BATCHES, ENV_STEPS
from recframe.tracking.folder import METRICS_NAME

EVALUATED = "eval/"
SPEEDS = tuple(f"train/{unit}_per_second" for unit in (ENV_STEPS, BATCHES))
POINTS = 60
"""A curve is thinned to this many points: a page has room for no more."""
LARGEST_FILE = 64 * 2**20


@dataclass
class Curve:
    """What a run has measured over its steps.

    counter: what its steps are.   evaluated: `{metric: {step: value}}` of its evaluations in training.   speed: `{step: steps a second}`
    of its training, since the one before.   seconds: `{step: seconds of training until then}`, without evaluations.
    """

    counter: str
    evaluated: dict[str, dict[int, float]] = field(default_factory=dict)
    speed: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def time_at(self, step: int) -> float | None:
        """The seconds of training until this step, by the speed that was measured around it; None without any."""
        if not self.seconds:
            return None
        before = max((known for known in self.seconds if known <= step), default=0)
        after = min((known for known in self.seconds if known > step), default=max(self.seconds))
        return self.seconds.get(before, 0.0) + (step - before) / self.speed[after]


def read_curve(folder: Path) -> Curve | None:
    """The curve of a run; None without evaluations, as in runs without `logger=csv`, and where the file is no table."""
    path = folder / METRICS_NAME
    try:
        if path.stat().st_size > LARGEST_FILE:
            return None
        with path.open(encoding="utf-8", newline="") as file:
            return _curve(csv.reader(file))
    except (OSError, ValueError, csv.Error):
        return None


def _curve(lines: Iterable[list[str]]) -> Curve | None:
    rows = iter(lines)
    header = next(rows, [])
    if not header:
        return None
    curve = Curve(header[0])
    evaluated = {place: name.removeprefix(EVALUATED) for place, name in enumerate(header) if name.startswith(EVALUATED)}
    # a run of two stages counts steps of both kinds, each at its own speed
    speeds = [place for place, name in enumerate(header) if name in SPEEDS]
    step_before, seconds = 0, 0.0
    for row in rows:
        # the last line of a run that goes on, or was killed, may be incomplete
        if len(row) != len(header) or not row[0].isdecimal():
            continue
        step = int(row[0])
        for place, name in evaluated.items():
            if (value := _number(row[place])) is not None:
                curve.evaluated.setdefault(name, {})[step] = value
        for place in speeds:
            if (speed := _number(row[place])) is not None and speed > 0 and step > step_before:
                seconds += (step - step_before) / speed
                step_before = step
                curve.speed[step], curve.seconds[step] = speed, seconds
    return curve if curve.evaluated or curve.speed else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Band:
    """A point of the mean curve of some runs, with their lowest and highest. `seconds` is None where the runs' speed is not known."""

    step: int
    seconds: float | None
    mean: float
    low: float
    high: float
    runs: int


def band(curves: Sequence[Curve], metric: str) -> list[Band]:
    """The mean over runs of a metric at each step at which one of them was evaluated, thinned to `POINTS`."""
    values: dict[int, list[float]] = {}
    seconds: dict[int, list[float]] = {}
    for curve in curves:
        for step, value in thinned(curve.evaluated.get(metric, {})).items():
            values.setdefault(step, []).append(value)
            if (time := curve.time_at(step)) is not None:
                seconds.setdefault(step, []).append(time)
    return [
        Band(step, _mean(seconds.get(step)), sum(found) / len(found), min(found), max(found), len(found))
        for step, found in sorted(values.items())
    ]


def thinned(points: Mapping[int, float]) -> dict[int, float]:
    """At most `POINTS` of some points, with the first and the last."""
    steps = sorted(points)
    if len(steps) <= POINTS:
        return {step: points[step] for step in steps}
    chosen = {steps[round(place * (len(steps) - 1) / (POINTS - 1))] for place in range(POINTS)}
    return {step: points[step] for step in sorted(chosen)}


def _mean(values: Sequence[float] | None) -> float | None:
    return sum(values) / len(values) if values else None
