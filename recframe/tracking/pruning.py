"""pruned.json: that a run was ended before its training was over, because other settings do better, in its folder, for reports."""

from __future__ import annotations

import json
from pathlib import Path

from recframe.tracking.atomic import atomic_write
from recframe.tracking.failure import recorded_line

PRUNED_NAME = "pruned.json"


def write_pruned(folder: Path, reason: str) -> None:
    """Record in one line after which evaluation the run was ended, and by what."""
    atomic_write(folder / PRUNED_NAME, json.dumps({"status": "pruned", "reason": reason}, indent=2) + "\n")


def clear_pruned(folder: Path) -> None:
    """Remove the record: the run goes on."""
    (folder / PRUNED_NAME).unlink(missing_ok=True)


def read_pruned(folder: Path) -> str | None:
    """Why the run in `folder` was ended, in one line; None if it was not, or if there is no readable record."""
    return recorded_line(folder / PRUNED_NAME, "reason")
