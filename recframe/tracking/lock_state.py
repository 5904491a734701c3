"""Whether a process is writing into a run's folder, as reports ask it."""

from __future__ import annotations

import os
from pathlib import Path

from recframe.tracking.folder import LOCK_NAME


def is_being_written(folder: Path) -> bool:
    """Whether a process holds the lock of the run in `folder`. False if this process may not look, or if the system cannot say."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return False
    try:
        lock = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        # shared, so that several readers can look at the same time, and given back within microseconds
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
