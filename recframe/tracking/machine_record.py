"""machine.json in a run's folder: what of the machine changes a run's numbers, and its comparison with the machine found later."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import MACHINE_NAME

log = logging.getLogger(__name__)


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

    @contextmanager
    def threads_of_the_run(self, set_threads: Callable[[int], None]) -> Iterator[None]:
        """Compute with as many threads as the run had, within the block. If this machine has fewer processors, log a warning instead.

        set_threads: sets the number of threads of this process (`torch.set_num_threads`).
        """
        then, now = self._recorded(), self.threads
        if then is None or then == now or then > processors():
            self.compare()
            yield
            return
        log.info("number of threads: %d, as the run had; this process had %d", then, now)
        set_threads(then)
        self.threads = then
        try:
            yield
        finally:
            set_threads(now)
            self.threads = now

    def write(self) -> None:
        """Record the number of threads, if there is no record yet."""
        if self._recorded() is None:
            atomic_write(self.path, json.dumps({"threads": self.threads}) + "\n")

    def _recorded(self) -> int | None:
        try:
            threads = json.loads(self.path.read_text(encoding="utf-8"))["threads"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return threads if isinstance(threads, int) and threads > 0 else None


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
