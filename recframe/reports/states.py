"""What became of a run: finished, running, stopped, failed, pruned, not started, or with a damaged record. Imports no torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from recframe.tracking.early_end import PRUNED_RUN, STOPPED_RUN
from recframe.tracking.failure import read_failure
from recframe.tracking.folder import CONFIG_NAME, LOG_NAME, METRICS_NAME
from recframe.tracking.lock_state import is_being_written
from recframe.tracking.result import RESULT_NAME


class State(StrEnum):
    """The state of a run, from the files in its folder."""

    FINISHED = "finished"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    PRUNED = "pruned"
    NOT_STARTED = "not started"
    DAMAGED = "damaged"


UNFINISHED_ORDER = (State.RUNNING, State.FAILED, State.DAMAGED, State.STOPPED, State.NOT_STARTED, State.PRUNED)
"""The states other than finished, in the order in which reports list them."""


def state_without_result(folder: Path, error: str) -> tuple[State, str]:
    """The state of a run whose result cannot be read, and the reason in one line; `error` says why it cannot."""
    if is_being_written(folder):
        return State.RUNNING, f"running; see its {LOG_NAME}"
    if (folder / RESULT_NAME).exists():
        return State.DAMAGED, error
    if (folder / PRUNED_RUN.name).exists():
        return State.PRUNED, f"pruned: {PRUNED_RUN.read(folder) or 'other settings do better'}"
    if failure := read_failure(folder):
        return State.FAILED, f"failed: {failure}"
    return _without_failure(folder)


def _without_failure(folder: Path) -> tuple[State, str]:
    if not (folder / CONFIG_NAME).exists():
        return State.NOT_STARTED, f"did not start; see its {LOG_NAME}"
    if (folder / "checkpoints").exists() or (folder / METRICS_NAME).exists():
        why = f"stopped: {reason}" if (reason := STOPPED_RUN.read(folder)) else f"stopped, no {RESULT_NAME}"
        return State.STOPPED, f"{why}; continue it with: recframe train resume={folder}"
    why = f": {reason}" if (reason := STOPPED_RUN.read(folder)) else ""
    return State.STOPPED, f"stopped before its first step{why}; see its {LOG_NAME}"
