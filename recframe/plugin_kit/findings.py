"""Findings: what a check of a plugin looked at, and what came out, with what would be right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Status(StrEnum):
    """The outcome of a check. Only `FAILED` makes the command fail."""

    OK = "ok"
    NOTE = "note"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    check: what was looked at ("entry point", "import", "component", "preset", "experiment", "files").   subject: which one.
    message: the outcome; of a failure, what is wrong and what would be right.
    """

    status: Status
    check: str
    subject: str
    message: str

    def as_json(self) -> dict[str, str]:
        """The finding as plain values."""
        return {name: str(value) for name, value in asdict(self).items()}
