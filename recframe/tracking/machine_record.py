"""machine.json in a run's folder: what of the machine changes a run's numbers, and its comparison with the machine found later."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from recframe.tracking.atomic import atomic_write

log = logging.getLogger(__name__)

MACHINE_NAME = "machine.json"


class MachineRecord:
    """The number of threads of a run. Sums over parts have other last digits with another number, and training makes large numbers of
    these: two runs of one seed then differ as much as two runs of different seeds.

    Parameters
    ----------
    folder: the run's folder.   threads: those of this process (`torch.get_num_threads()`).
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self.path = folder / MACHINE_NAME
        self.threads = threads

    def compare(self) -> None:
        """Log a warning if the run had another number of threads. Runs of earlier releases have no record."""
        then = self._recorded()
        if then is not None and then != self.threads:
            log.warning(
                "the run had %d threads, this process has %d: its numbers can differ as much as with another seed; "
                "for the same numbers set OMP_NUM_THREADS=%d",
                then,
                self.threads,
                then,
            )

    def write(self) -> None:
        """Record the number of threads, if there is no record yet."""
        if self._recorded() is None:
            atomic_write(self.path, json.dumps({"threads": self.threads}) + "\n")

    def _recorded(self) -> int | None:
        try:
            threads = json.loads(self.path.read_text(encoding="utf-8"))["threads"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return threads if isinstance(threads, int) else None
