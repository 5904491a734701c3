"""failure.json: why a run failed, in its folder, for reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from recframe.errors import UserError
from recframe.plugin_loader import raised
from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import FAILURE_NAME


def reason_of(error: Exception) -> str:
    """The error in one line: a user's mistakes, or type, message, file and line of another error."""
    return "; ".join(error.lines) if isinstance(error, UserError) else raised(error)


def write_failure(folder: Path, error: str, origin: Mapping[str, str]) -> None:
    """Record in one line why the run failed, and which component or plugin raised the error, where that is known."""
    atomic_write(folder / FAILURE_NAME, json.dumps({"status": "failed", "error": error, **origin}, indent=2) + "\n")


def clear_failure(folder: Path) -> None:
    """Remove the record: the run goes on."""
    (folder / FAILURE_NAME).unlink(missing_ok=True)


def read_failure(folder: Path) -> str | None:
    """Why the run in `folder` failed, in one line; None if there is no readable record."""
    return recorded_line(folder / FAILURE_NAME, "error")


def recorded_line(file: Path, entry: str) -> str | None:
    """An entry of a JSON file as one line; None if the file is missing or damaged, or has no such text."""
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    text = recorded.get(entry) if isinstance(recorded, dict) else None
    return " ".join(text.split()) if isinstance(text, str) else None
