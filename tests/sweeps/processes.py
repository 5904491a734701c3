"""Processes that tests of sweeps start, signal and wait for."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

LIMIT = 240
Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], what: str, limit: float = LIMIT) -> Value:
    """The first true value of `condition()`."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{what} did not happen in {limit} s")


def processes_in(folder: Path) -> dict[int, int]:
    """The processes whose working directory is `folder`, each with its parent; none where the system has no `/proc`."""
    found = {}
    for entry in Path("/proc").glob("*"):
        try:
            if entry.name.isdecimal() and (entry / "cwd").readlink() == folder:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                found |= {int(entry.name): int(parent)} if state != "Z" else {}
        except OSError:
            continue
    return found
