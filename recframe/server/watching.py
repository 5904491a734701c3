"""Hot swap: a new artefact in a folder takes the place of the policy that was loaded from it."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from recframe.errors import UserError
from recframe.feedback import StoreError
from recframe.server.served import ServedPolicies, ServedPolicy
from recframe.serving.artefact.manifest import MANIFEST

log = logging.getLogger(__name__)

State = tuple[tuple[str, int, int, int], ...]


class Watcher:
    """Looks at folders in a thread of its own. An artefact that cannot be loaded is refused in the log, and the old one stays.

    Parameters
    ----------
    folders: by the policy's name.   take: loads what is in a folder, and swaps it in under a name.   policies: those that are served.
    swapped: called with the name and "taken" or "refused".   seconds: between two looks.
    """

    def __init__(
        self,
        folders: dict[str, Path],
        take: Callable[[str, Path], ServedPolicy],
        policies: ServedPolicies,
        swapped: Callable[[str, str], None],
        seconds: float,
    ) -> None:
        self._folders = folders
        self._take = take
        self._policies = policies
        self._swapped = swapped
        self._seconds = seconds
        self._seen: dict[str, State] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recframe-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            for name, folder in self._folders.items():
                state = state_of(folder)
                if not state or state == self._seen.get(name):
                    continue
                # an artefact of the version that is served gives the same answers; a run tells none, and counts as new once it changes
                found = version_in(folder)
                served = found == self._policies[name].policy.base_version or (found is None and name not in self._seen)
                if served or self._took(name, folder):
                    self._seen[name] = state

    def _took(self, name: str, folder: Path) -> bool:
        """Take what is in a folder. Returns False where it is to be tried again, since the store is away, or broken."""
        started = time.monotonic()
        old = self._policies[name].version
        try:
            # the folder behind a link, which may be set anew meanwhile
            served = self._take(name, folder.resolve())
        except StoreError as error:
            log.warning("%s: what is new in %s waits for the store: %s", name, folder, error)
            return False
        except UserError as error:
            log.warning("%s: what is new in %s is refused, and version %s stays: %s", name, folder, old, error)
            self._swapped(name, "refused")
        except Exception:
            log.exception("%s: what is new in %s cannot be loaded, and version %s stays", name, folder, old)
            self._swapped(name, "refused")
        else:
            log.info("%s: version %s has taken the place of %s, after %.1f s", name, served.version, old, time.monotonic() - started)
            self._swapped(name, "taken")
        gc.collect()
        return True


def version_in(folder: Path) -> str | None:
    """The version of the artefact in a folder, as it says; None: there is none that can be read."""
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def state_of(folder: Path) -> State:
    """What tells whether the files of a folder have changed; empty: there are none to read."""
    try:
        found = [(path.name, path.stat()) for path in sorted(folder.resolve().iterdir())]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found)
