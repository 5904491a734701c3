"""data.json in a run's folder: fingerprints of the data that the run reads, and their comparison with the data found later."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from recframe.errors import UserError
from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import DATA_NAME, RunFolderError

log = logging.getLogger(__name__)


class Fingerprint(NamedTuple):
    """A hash of one part of the data (or of an encoder's model), and its number of rows."""

    sha256: str
    rows: int | None = None


def without_agent(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a data.json about the world: without the models that only the agent reads with or starts from."""
    return {name: entry for name, entry in entries.items() if name != "init" and not name.startswith("encoder")}


class DataChanged(UserError):
    """The data is not that of the run; the message says which parts differ, and how to accept them."""


class DataRecord:
    """The fingerprints of a run's data.

    Parameters
    ----------
    folder: the run's folder.
    accept: accept data that differs from the run's.     remedy: the command that does so.
    resized: whether accepted data may have another number of items or users; a checkpoint to resume from refers to them by number.
    """

    def __init__(self, folder: Path, *, accept: bool = False, remedy: str = "", resized: bool = True) -> None:
        self.path = folder / DATA_NAME
        self.accept = accept
        self.remedy = remedy
        self.resized = resized
        self.recorded = _read(self.path)
        self.found: dict[str, Fingerprint] = {}

    def note_if_missing(self) -> None:
        """Log that the data cannot be compared, if the run has no record."""
        if not self.recorded:
            log.warning("%s does not exist, so whether the data is that of the run is not known", self.path)

    def check(self, found: Mapping[str, Fingerprint]) -> None:
        """Compare parts of the data with the run's.

        Raises
        ------
        DataChanged: if one differs and is not accepted.
        """
        self.found |= found
        pairs = {name: (self.recorded[name], now) for name, now in found.items() if name in self.recorded}
        changed = [name for name, (then, now) in pairs.items() if then.sha256 != now.sha256]
        if not changed:
            return
        words = "; ".join(_difference(name, *pairs[name]) for name in changed)
        if not self.accept:
            raise DataChanged(f"{self.path.parent}: the data is not that of the run: {words}. Restore it, or accept it: {self.remedy}")
        if not self.resized and any(pairs[name][0].rows != pairs[name][1].rows for name in changed):
            raise DataChanged(
                f"{self.path.parent}: cannot be resumed with this data: {words}. Its checkpoint refers to rows by number; start a new run"
            )
        log.warning("the data is not that of the run: %s; accepted", words)

    def write(self) -> None:
        """Record what was found."""
        if self.found != self.recorded:
            entries = {name: found._asdict() for name, found in self.found.items()}
            atomic_write(self.path, json.dumps(entries, indent=2) + "\n")


def _difference(name: str, then: Fingerprint, now: Fingerprint) -> str:
    if then.rows == now.rows:
        return f"{name} differ" if then.rows is not None else f"{name} differs"
    return f"{then.rows:,} {name} then, {now.rows:,} now"


def _read(path: Path) -> dict[str, Fingerprint]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Fingerprint(str(entry["sha256"]), entry["rows"]) for name, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise RunFolderError(f"{path}: recframe did not write it; remove it to accept the data as it is") from None
