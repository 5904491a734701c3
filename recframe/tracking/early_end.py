"""Why a run was ended before its training was over, without a failure, in a file of its folder, for reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from recframe.tracking.atomic import atomic_write
from recframe.tracking.failure import recorded_line
from recframe.tracking.folder import STOPPED_NAME


class EarlyEnd(NamedTuple):
    """A way in which a run may end early.   name: of its file.   status: what the file calls it."""

    name: str
    status: str

    def write(self, folder: Path, reason: str) -> None:
        """Record in one line what ended the run."""
        atomic_write(folder / self.name, json.dumps({"status": self.status, "reason": reason}, indent=2) + "\n")

    def clear(self, folder: Path) -> None:
        """Remove the record: the run goes on."""
        (folder / self.name).unlink(missing_ok=True)

    def read(self, folder: Path) -> str | None:
        """What ended the run in `folder` in this way, in one line; None if nothing did, or if there is no readable record."""
        return recorded_line(folder / self.name, "reason")


PRUNED_RUN = EarlyEnd("pruned.json", "pruned")
"""Other settings do better; the reason names the evaluation."""
STOPPED_RUN = EarlyEnd(STOPPED_NAME, "stopped")
"""It reached a limit of its sweep, which is the reason."""
