"""The processes that work on one study in one folder: each holds a lock, so that the trials of one that died are noticed."""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = ".study"


class Workers:
    """The processes on a study, and the place of this one among them.

    The operating system releases a lock with the process that holds it, whatever ended it.
    """

    def __init__(self, sweep: Path) -> None:
        self._folder = sweep / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{_machine()}{secrets.token_hex(6)}"
        self._own = FileLock(self._folder / f"{self.name}.lock")
        self.study_lock = FileLock(self._folder / "study.lock")
        """Held while trials are created and distributed."""

    @contextmanager
    def working(self) -> Iterator[Workers]:
        """Hold this process's lock in the block."""
        with self._own:
            try:
                yield self
            finally:
                (self._folder / f"{self.name}.lock").unlink(missing_ok=True)

    def on_this_machine(self) -> int:
        """How many processes of this machine work on the study, with this one."""
        return sum(self.is_alive(path.stem) for path in self._folder.glob(f"{_machine()}*.lock"))

    def is_alive(self, name: str) -> bool:
        """Whether the process of that name works on the study."""
        if name == self.name:
            return True
        path = self._folder / f"{name}.lock"
        if not path.is_file():
            return False
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False


def _machine() -> str:
    """What the names of the processes of this machine begin with."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
