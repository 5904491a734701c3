"""Whether a process is writing into a folder of a run or sweep, as reports ask it."""

from __future__ import annotations

import os
from pathlib import Path

from recframe.tracking.folder import LOCK_NAME


def is_being_written(folder: Path) -> bool:
    """Whether a process holds the lock of the run in `folder`; see `is_locked`."""
    return is_locked(folder / LOCK_NAME)


def is_locked(lock: Path) -> bool:
    """Whether a process holds this lock. False if this process may not look, or if the system cannot say."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return False
    try:
        opened = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        # shared, so that several readers can look at the same time, and given back within microseconds
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(opened)
    return False
