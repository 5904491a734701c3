"""What became of a job of a trial, from what the launcher returns and from what is in the run's folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from recframe.config import ConfigError
from recframe.errors import JobStopped, Pruned, UserError
from recframe.tracking.pruning import read_pruned
from recframe.tracking.result import RESULT_NAME, ResultError, read_result


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a value for each objective; or pruned or failed, for a reason."""

    values: tuple[float, ...] = ()
    pruned: str = ""
    failed: str = ""


def recorded_outcome(folder: Path, objectives: Sequence[str]) -> Outcome | None:
    """The outcome of a run that is finished or was pruned, from its folder; None if it is neither."""
    if (reason := read_pruned(folder)) is not None:
        return Outcome(pruned=reason)
    try:
        result = read_result(folder) if (folder / RESULT_NAME).is_file() else None
    except ResultError:
        return None
    return None if result is None else _measured(result, objectives)


def returned_outcome(returned: JobReturn, folder: Path, objectives: Sequence[str]) -> Outcome:
    """The outcome of a job that the launcher has run.

    Raises
    ------
    JobStopped: the job was stopped with the sweep, and is to go on with it.
    ConfigError: if an objective is not measured.
    """
    if returned.status is JobStatus.FAILED:
        error = returned._return_value
        if isinstance(error, JobStopped):
            raise error
        if isinstance(error, Pruned):
            return Outcome(pruned=str(error))
        return Outcome(failed=_in_a_line(error))
    if objectives:
        return _measured(read_result(folder), objectives)
    return _numbers([returned.return_value], ["objective"])


def _measured(result: Mapping[str, Any], objectives: Sequence[str]) -> Outcome:
    """The outcome of a finished run.

    Raises
    ------
    ConfigError: if an objective is not measured.
    """
    if not objectives:
        return _numbers([result["objective"]], ["objective"])
    measured = result.get("objectives", {})
    if missing := [name for name in objectives if name not in measured]:
        raise ConfigError(
            [f"hydra.sweeper.objectives: {missing[0]!r} is not measured in these runs; they measure: {', '.join(sorted(measured))}"]
        )
    return _numbers([measured[name] for name in objectives], objectives)


def _numbers(values: Sequence[Any], names: Sequence[str]) -> Outcome:
    for value, name in zip(values, names, strict=True):
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            return Outcome(failed=f"the {name} has no value ({value})")
    return Outcome(tuple(float(value) for value in values))


def _in_a_line(error: Any) -> str:
    text = "; ".join(error.lines) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
