"""W&B's files in a run's folder: where it writes, the one offline run that a run of ours has, and what is left to be sent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from recframe.tracking.folder import LOCK_NAME

WANDB = "wandb"
OFFLINE = "offline-run-*"
SUPERSEDED = "superseded"
"""The folder below `wandb/` of offline runs that a later one has in full, which `wandb sync` does not look into."""


def own_folders(folder: Path) -> dict[str, str]:
    """The environment variables by which W&B writes its staged files and caches to the run's folder, and not below the home.

    Those that the user has set are left out.
    """
    places = {"WANDB_DATA_DIR": "data", "WANDB_CACHE_DIR": "cache"}
    return {name: str((folder / WANDB / place).absolute()) for name, place in places.items() if not os.environ.get(name)}


def supersede_offline_runs(folder: Path) -> None:
    """Move the offline runs in a run's folder to where no sync finds them: a new one records the whole run."""
    for earlier in sorted((folder / WANDB).glob(OFFLINE)):
        target = earlier.parent / SUPERSEDED / earlier.name
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        earlier.rename(target)


def offline_runs(folder: Path) -> Iterator[Path]:
    """The folders of W&B's offline runs in a run's folder or anywhere below `folder`, in order."""
    for parent, names, _ in os.walk(folder):
        names.sort()
        if Path(parent).name == WANDB:
            yield from (found for found in sorted(Path(parent).glob(OFFLINE)) if any(found.glob("*.wandb")))
            names.clear()


def is_sent(offline_run: Path) -> bool:
    """Whether W&B has marked an offline run as sent."""
    return any(offline_run.glob("*.wandb.synced"))


def is_running(offline_run: Path) -> bool:
    """Whether a process is writing the run that an offline run is of."""
    lock = offline_run.parent.parent / LOCK_NAME
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):  # another user's run
        return False
