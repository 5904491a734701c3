"""Signals to the process that a sweep was started in: all jobs save a checkpoint and stop, whatever the launcher."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from recframe.errors import Stop
from recframe.signals import IMPATIENT, stop_signals_handled
from recframe.sweeps.record import STOPPED, SweepRecord, recording

FOLDERS_NAMED = 5


class SweepSignals:
    """The handler of the starting process. While jobs run in other processes, it asks them to stop, and the launcher waits for them.

    A second signal ends the sweep at once. Where jobs run in this process itself, each handles its own signals, and this handler is
    called only between two jobs.
    """

    def __init__(self, record: SweepRecord) -> None:
        self.record = record
        self.signal_number: int | None = None

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        again = self.signal_number is not None and number in IMPATIENT
        self.signal_number = number
        self.record.request_stop(number)
        if again or not (multiprocessing.active_children() or self.record.runs_elsewhere):
            raise self.stop()
        name = signal.Signals(number).name
        print(f"recframe: {name}: the running jobs save a checkpoint and stop; a second {name} ends them at once", file=sys.stderr)

    def stop(self) -> Stop:
        """The exception that ends the sweep; it says what became of the jobs. Recframe's own sweepers say more in its place."""
        number = self.signal_number or signal.SIGTERM
        notes = self.record.notes()
        counts = Counter(note.state for note in notes.values())
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no job was started"
        message = f"the sweep was stopped by {signal.Signals(number).name}: {told}"
        stopped = [note.folder for note in notes.values() if note.state == STOPPED]
        if stopped:
            commands = [f"\n  recframe train resume={folder}" for folder in stopped[:FOLDERS_NAMED]]
            more = [f"\n  and {len(stopped) - FOLDERS_NAMED} more"] if len(stopped) > FOLDERS_NAMED else []
            message += ". Resume those that were stopped with:" + "".join(commands + more)
        return Stop(message, 128 + number)


@contextmanager
def sweep_signals() -> Iterator[None]:
    """Handle signals to this process, in which a sweep is started, within the block.

    Raises
    ------
    Stop: a signal arrived; all jobs that run in other processes have stopped.
    """
    with recording() as record:
        signals = SweepSignals(record)
        with stop_signals_handled(signals.receive):
            try:
                yield
            except Exception as error:
                if signals.signal_number is None:
                    raise
                # the launcher raises the first error of a job, and here the jobs were stopped on purpose
                raise signals.stop() from error
        if signals.signal_number is not None:
            raise signals.stop()
