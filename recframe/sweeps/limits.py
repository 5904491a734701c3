"""Limits of a job's time and memory, watched in the process that the job runs in."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "RECFRAME_JOB_LIMITS"
"""The limits in the environment of a job, as `job_timeout memory_limit grace_period`."""
STATM = Path("/proc/self/statm")
GIB = 2**30
POLL_SECONDS = 0.5
LONGEST_SECONDS = 10 * 365 * 86_400.0


@dataclass(frozen=True)
class Limits:
    """job_timeout, grace_period: in seconds.     memory_limit: of the process, in GiB."""

    job_timeout: float | None = None
    memory_limit: float | None = None
    grace_period: float = 60.0

    def __bool__(self) -> bool:
        return self.job_timeout is not None or self.memory_limit is not None

    @property
    def written(self) -> str:
        """The value of `VARIABLE`."""
        return " ".join("-" if value is None else repr(float(value)) for value in (self.job_timeout, self.memory_limit, self.grace_period))

    @classmethod
    def of_environment(cls) -> Limits:
        """The limits of the job that runs in this process."""
        return cls.of_written(os.environ.get(VARIABLE, ""))

    @classmethod
    def of_written(cls, text: str) -> Limits:
        """The limits that `written` gives."""
        words = text.split()
        return cls(*(None if word == "-" else float(word) for word in words)) if len(words) == 3 else cls()  # type: ignore[arg-type]

    def time_exceeded(self) -> str:
        """Why a job is ended that takes too long."""
        return f"it reached sweep.job_timeout={self.job_timeout:g} (seconds)"

    def hung(self, since: float) -> bool:
        """Whether a job that has run since this time, in seconds since the epoch, did not stop at the limit and in its grace period."""
        return self.job_timeout is not None and since < time.time() - self.job_timeout - self.grace_period

    def memory_exceeded(self, used: float) -> str:
        """Why a job is ended whose process is too large. `used` is in GiB."""
        return f"its process took {used:.2f} GiB, sweep.memory_limit={self.memory_limit:g}"


def ended_natively(log: Path) -> bool:
    """Whether `faulthandler` has ended a process after its time, which it writes into the log of the job."""
    try:
        return any(line.startswith("Timeout (") for line in log.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return False


def memory_of_process() -> float:
    """The resident memory of this process in GiB; 0 where the system does not tell."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / GIB


class Watchdog:
    """Watches one job: at a limit it sends SIGTERM to the process, so that the job saves a checkpoint, and after a grace period ends it.

    A job in native code that holds Python's lock stops no thread of Python's. So the end after `job_timeout` and the grace period is left
    to `faulthandler`, whose thread needs no lock.

    Parameters
    ----------
    log: the file to which the place is appended at which a job was that did not stop.
    ending: called with the reason before the process is ended.
    """

    def __init__(self, limits: Limits, log: Path, ending: Callable[[str], None]) -> None:
        self.limits, self.log, self.ending = limits, log, ending
        self.reason: str | None = None
        self._done = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the job that runs in the block."""
        if not self.limits:
            yield
            return
        thread = threading.Thread(target=self._watch, name="limits", daemon=True)
        with self._native_end():
            thread.start()
            try:
                yield
            finally:
                self._done.set()
                thread.join()

    @contextmanager
    def _native_end(self) -> Iterator[None]:
        if self.limits.job_timeout is None:
            yield
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # a little later than the thread, which can say more
        seconds = min(self.limits.job_timeout + self.limits.grace_period + 2 * POLL_SECONDS + 1, LONGEST_SECONDS)
        with self.log.open("a", encoding="utf-8") as file:
            faulthandler.dump_traceback_later(seconds, exit=True, file=file)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        started = time.monotonic()
        while not self._done.wait(POLL_SECONDS if self.limits.job_timeout is None else min(POLL_SECONDS, self.limits.job_timeout / 4)):
            if self.reason is None:
                self.reason = self._exceeded(time.monotonic() - started)
                if self.reason is not None:
                    asked = time.monotonic()
                    os.kill(os.getpid(), signal.SIGTERM)
            elif time.monotonic() - asked > self.limits.grace_period:
                self.end()

    def _exceeded(self, seconds: float) -> str | None:
        timeout, memory = self.limits.job_timeout, self.limits.memory_limit
        if timeout is not None and seconds > timeout:
            return self.limits.time_exceeded()
        if memory is not None and (used := memory_of_process()) > memory:
            return self.limits.memory_exceeded(used)
        return None

    def end(self) -> None:
        """End the process: the job has not stopped."""
        self.ending(f"{self.reason} and did not stop within sweep.grace_period={self.limits.grace_period:g} (seconds)")
        with suppress(OSError), self.log.open("a", encoding="utf-8") as file:
            faulthandler.dump_traceback(file)
        os._exit(128 + signal.SIGTERM)
