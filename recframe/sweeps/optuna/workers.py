"""The processes that work on one study in one folder: each holds a lock, so that the trials of one that died are noticed."""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from recframe.sweeps.optuna.attributes import SWEEP, WORKER

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOLDER = ".study"
STUDY = "study"
CREATION_SECONDS = 600
"""After this time, what another folder was creating in a database that folders share is left over from a process that died."""


class Workers:
    """The processes on a study, and the place of this one among them.

    The operating system releases a lock with the process that holds it, whatever ended it.
    """

    def __init__(self, sweep: Path) -> None:
        self.folder, self.sweep = sweep, str(sweep.absolute())
        """The folder of the sweep, also as trials have it."""
        self._folder = sweep / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{_machine()}{secrets.token_hex(6)}"
        self._own = FileLock(self._folder / f"{self.name}.lock")
        self.study_lock = FileLock(self._folder / f"{STUDY}.lock")
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
        """How many processes of this machine work on the study, with this one if it does. A job may ask, too."""
        with self.study_lock:
            # two that ask at the same time would take each other for the process that holds the lock
            return sum(self.is_alive(path.stem) for path in self._folder.glob(f"{_machine()}*.lock"))

    def others(self) -> bool:
        """Whether another process works on the study. The caller holds the study's lock."""
        names = [path.stem for path in self._folder.glob("*.lock")]
        return any(self.is_alive(name) for name in names if name not in (self.name, STUDY))

    def has_left(self, trial: FrozenTrial, shared: bool) -> bool:
        """Whether the process that works on a running trial died. Where other folders share the database, theirs are left alone.

        Parameters
        ----------
        shared: whether the database may have trials of other folders.
        """
        worker = trial.user_attrs.get(WORKER)
        if worker is not None:
            return (not shared or trial.user_attrs[SWEEP] == self.sweep) and not self.is_alive(worker)
        # its process died while it created the trial: in this folder it would hold the lock
        started = trial.datetime_start
        return not shared or started is None or (datetime.now() - started).total_seconds() > CREATION_SECONDS

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
