"""What a job means for its trial: from what became of it, and from what is in the run's folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recframe.config import ConfigError
from recframe.sweeps.outcomes import Outcome
from recframe.sweeps.record import FAILED, FINISHED, PRUNED
from recframe.tracking.early_end import PRUNED_RUN
from recframe.tracking.result import RESULT_NAME, ResultError, read_result


class Verdict(NamedTuple):
    """How a job ended: state is `FINISHED`, with a value for each objective, or `PRUNED` or `FAILED`, for a reason."""

    state: str
    values: tuple[float, ...] = ()
    reason: str = ""


def recorded_verdict(folder: Path, objectives: Sequence[str]) -> Verdict | None:
    """The verdict on a run that is finished or was pruned, from its folder; None if it is neither."""
    if (reason := PRUNED_RUN.read(folder)) is not None:
        return Verdict(PRUNED, reason=reason)
    try:
        result = read_result(folder) if (folder / RESULT_NAME).is_file() else None
    except ResultError:
        return None
    return None if result is None else _measured(result, objectives)


def verdict_of(outcome: Outcome, folder: Path, objectives: Sequence[str]) -> Verdict | None:
    """The verdict on a job that has ended; None if it was stopped, and is to go on.

    Raises
    ------
    ConfigError: if an objective is not measured.
    """
    if outcome.state in (PRUNED, FAILED):
        return Verdict(outcome.state, reason=outcome.reason)
    if outcome.state != FINISHED:
        return None
    if objectives:
        return _measured(read_result(folder), objectives)
    return _numbers([outcome.objective], ["objective"])


def _measured(result: Mapping[str, Any], objectives: Sequence[str]) -> Verdict:
    if not objectives:
        return _numbers([result["objective"]], ["objective"])
    measured = result.get("objectives", {})
    if missing := [name for name in objectives if name not in measured]:
        raise ConfigError(
            [f"hydra.sweeper.objectives: {missing[0]!r} is not measured in these runs; they measure: {', '.join(sorted(measured))}"]
        )
    return _numbers([measured[name] for name in objectives], objectives)


def _numbers(values: Sequence[Any], names: Sequence[str]) -> Verdict:
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return Verdict(FAILED, reason=f"the {name} has no value ({value})")
    return Verdict(FINISHED, tuple(float(value) for value in values))
