"""machine.json in a run's folder: what of the machine changes a run's numbers, for the processes that go on with the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import MACHINE_NAME


class RecordedThreads(NamedTuple):
    """The number of threads of a run's training and evaluation, and of the time before, when texts are encoded."""

    threads: int
    text_threads: int


class MachineRecord:
    """The number of threads of a run. Sums over parts have other last digits with another number, and training makes large numbers of
    these: two runs of one seed then differ as much as two runs of different seeds.

    Parameters
    ----------
    folder: the run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MACHINE_NAME

    def write(self, threads: int, text_threads: int) -> None:
        """Record the numbers of threads, if there is no record yet."""
        if self.read() is None:
            atomic_write(self.path, json.dumps({"threads": threads, "text_threads": text_threads}) + "\n")

    def read(self) -> RecordedThreads | None:
        """The recorded numbers; None if there is no usable record. Releases that recorded one number used it throughout."""
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
            threads = record["threads"]
            recorded = RecordedThreads(threads, record.get("text_threads", threads))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        return recorded if all(isinstance(number, int) and number > 0 for number in recorded) else None


def recorded_threads(folder: Path) -> int | None:
    """The number of threads of a run's training and evaluation; None if there is no usable record."""
    recorded = MachineRecord(folder).read()
    return None if recorded is None else recorded.threads
