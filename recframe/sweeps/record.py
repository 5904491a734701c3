"""What the processes of a sweep tell each other: that it is to stop, and what became of its jobs.

They share a temporary folder, whose path the jobs' processes inherit in a variable of the environment. It is independent of the launcher.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recframe.errors import Stop

VARIABLE = "RECFRAME_SWEEP"


@dataclass(frozen=True)
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
        host, _, rest = os.environ.get(VARIABLE, "").partition(":")
        pid, _, folder = rest.partition(":")
        return cls(Path(folder), host, int(pid)) if pid.isdecimal() and folder else None

    @property
    def is_parent(self) -> bool:
        """Whether the sweep was started in this process."""
        return self.pid == os.getpid() and self.host == socket.gethostname()

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

    def note(self, job: int, state: str, folder: str) -> None:
        """Record the state of a job: "running", "finished", "failed", "stopped" or "not started"."""
        self._write(f"{job}.job", f"{state}\n{folder}")

    @contextmanager
    def following(self, job: int, folder: str) -> Iterator[None]:
        """Record the state of a job that runs in the block, and how it ends."""
        self.note(job, "running", folder)
        state = "failed"
        try:
            yield
            state = "finished"
        except Stop:
            state = "stopped"
            raise
        finally:
            self.note(job, state, folder)

    def jobs(self) -> dict[int, tuple[str, str]]:
        """The state and the folder of each job, by its number."""
        found = {}
        for path in self.folder.glob("*.job"):
            state, _, folder = path.read_text().partition("\n")
            found[int(path.stem)] = (state, folder)
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


@contextmanager
def recording() -> Iterator[SweepRecord]:
    """A new record for a sweep that is started in this process, for the duration of the block."""
    record = SweepRecord(Path(tempfile.mkdtemp(prefix="recframe-sweep-")), socket.gethostname(), os.getpid())
    os.environ[VARIABLE] = f"{record.host}:{record.pid}:{record.folder}"
    try:
        yield record
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(record.folder, ignore_errors=True)
