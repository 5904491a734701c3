"""What the processes of a sweep tell each other: that it is to stop, and what became of its jobs.

They share a temporary folder, whose path the jobs' processes inherit in a variable of the environment. It is independent of the launcher:
one whose jobs run on several machines moves the folder to where all of them reach it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from recframe.errors import JobStopped, Pruned, Stop
from recframe.tracking.failure import reason_of

VARIABLE = "RECFRAME_SWEEP"
PREFIX = ".recframe-sweep-"
"""How the names of records in the folders of sweeps begin."""
NUMBER_VARIABLE = "RECFRAME_JOB"
"""The number of a job in the environment of its process, where one of recframe's sweepers has given it a number and a folder."""

RUNNING, FINISHED, FAILED, STOPPED, NOT_STARTED = "running", "finished", "failed", "stopped", "not started"
PRUNED = "pruned"
"""The states of a job."""
ENDED = "ended"
"""The state of a job whose process was ended, because the job did not stop at a limit."""
LOST = "lost"
"""The state of a job whose process ended unexpectedly, or whose machine was lost."""


class JobNote(NamedTuple):
    """What a job's process has told last.

    since: when, in seconds since the epoch.   reason: why it failed or stopped.   objective: of a job that has finished.
    """

    state: str
    folder: str
    since: float
    reason: str = ""
    objective: float | None = None


@dataclass(unsafe_hash=True)
class SweepRecord:
    """The folder of a sweep's messages.

    host, pid: the machine and the process that the sweep was started in.
    """

    folder: Path
    host: str
    pid: int

    @classmethod
    def of_environment(cls) -> SweepRecord | None:
        """The record of the sweep that this process belongs to, or None."""
        if _Own.record is not None:
            return _Own.record
        host, _, rest = os.environ.get(VARIABLE, "").partition(":")
        pid, _, folder = rest.partition(":")
        return cls(Path(folder), host, int(pid)) if pid.isdecimal() and folder else None

    @property
    def is_parent(self) -> bool:
        """Whether the sweep was started in this process."""
        return self.pid == os.getpid() and self.host == socket.gethostname()

    def publish(self) -> None:
        """Make it the record that `of_environment` returns, here and in processes that are started from now on."""
        os.environ[VARIABLE] = f"{self.host}:{self.pid}:{self.folder}"

    def move_into(self, folder: Path) -> None:
        """Continue in a new folder within `folder`, which other machines reach, too. No job may run yet."""
        if self.folder.parent == folder:
            return
        for leftover in folder.glob(f"{PREFIX}*"):
            # of a sweep that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        before, self.folder = self.folder, Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
        shutil.copytree(before, self.folder, dirs_exist_ok=True)
        shutil.rmtree(before, ignore_errors=True)
        self.publish()

    def note_worker(self) -> None:
        """Record that there are jobs in other processes than the one that the sweep was started in."""
        self._write("workers", "")

    @property
    def runs_elsewhere(self) -> bool:
        """Whether a job runs in another process than the one that the sweep was started in."""
        return (self.folder / "workers").exists() and any(note.state == RUNNING for note in self.notes().values())

    def request_stop(self, number: int) -> None:
        """Ask all jobs to stop, as if they had received this signal."""
        self._write("stop", str(number))

    @property
    def stop_signal(self) -> int | None:
        """The signal that the jobs are to stop by, or None."""
        try:
            return int((self.folder / "stop").read_text())
        except (OSError, ValueError):
            return None

    def note(self, job: int, state: str, folder: str, reason: str = "", objective: float | None = None) -> None:
        """Record the state of a job: `RUNNING`, `FINISHED`, `FAILED`, `PRUNED`, `STOPPED`, `NOT_STARTED` or `ENDED`."""
        self._write(f"{job}.job", json.dumps(JobNote(state, folder, time.time(), reason, objective)))

    def forget(self, job: int) -> None:
        """Remove what a job has told: it is started again."""
        (self.folder / f"{job}.job").unlink(missing_ok=True)

    @contextmanager
    def following(self, job: int, folder: str) -> Iterator[JobEnd]:
        """Record the state of a job that runs in the block, and how it ends."""
        self.note(job, RUNNING, folder)
        end, state, reason = JobEnd(), FAILED, ""
        try:
            yield end
            state = FINISHED
        except (Stop, JobStopped) as stop:
            state, reason = STOPPED, str(stop)
            raise
        except Pruned as pruned:
            state, reason = PRUNED, str(pruned)
            raise
        except Exception as error:
            reason = reason_of(error)
            raise
        finally:
            self.note(job, state, folder, reason, end.objective)

    def notes(self) -> dict[int, JobNote]:
        """What each job has told last, by its number."""
        found = {}
        for path in self.folder.glob("*.job"):
            content: Any = json.loads(path.read_text())
            found[int(path.stem)] = JobNote(*content)
        return dict(sorted(found.items()))

    def _write(self, name: str, text: str) -> None:
        # renamed into place: a reader never sees half of it
        path = self.folder / name
        try:
            path.with_suffix(".new").write_text(text)
            path.with_suffix(".new").replace(path)
        except OSError:
            # the starting process is gone, and its folder with it
            return


class _Own:
    """The record of the sweep that was started in this process, and what is called when it ends."""

    record: SweepRecord | None = None
    at_end: ClassVar[set[Callable[[], object]]] = set()


def at_end_of_sweep(function: Callable[[], object]) -> None:
    """Call a function once when the sweep ends, if it was started in this process: a worker keeps what it has until it ends itself."""
    if _Own.record is not None:
        _Own.at_end.add(function)


class JobEnd:
    """What a job tells when it has finished."""

    objective: float | None = None


@contextmanager
def recording() -> Iterator[SweepRecord]:
    """A new record for a sweep that is started in this process, for the duration of the block."""
    record = SweepRecord(Path(tempfile.mkdtemp(prefix="recframe-sweep-")), socket.gethostname(), os.getpid())
    record.publish()
    _Own.record = record
    try:
        yield record
    finally:
        _Own.record = None
        while _Own.at_end:
            _Own.at_end.pop()()
        del os.environ[VARIABLE]
        shutil.rmtree(record.folder, ignore_errors=True)
