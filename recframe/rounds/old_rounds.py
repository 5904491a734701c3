"""What is removed of rounds that are long over, so that a loop that goes on for months does not fill the disk."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recframe.rounds.round_folder import remove_round_folder, round_folder
from recframe.rounds.rounds_file import SWAPPED
from recframe.rounds.served_folder import ASIDE, POLICIES

log = logging.getLogger(__name__)

GONE = ".removed-by-recframe-learn"
NAME = re.compile(r"\w+", re.ASCII)


def remove_old_rounds(home: Path, records: Sequence[Mapping[str, Any]], served: str, keep: int) -> None:
    """Remove the runs and the artefacts of all rounds but the last `keep`; 0: of none. rounds.jsonl stays as it is.

    Never removed: the version that is served with its run, the version before it, and the version that the rounds began with, of which
    there may be no other copy. Only what a record names is removed. Where the system refuses, it is said, and tried after the next round.

    home: where runs and artefacts go.   records: of all rounds, in order.   served: the version that is served.
    """
    over = records[:-keep] if keep else []
    stay = _versions_that_stay(records, served, keep)
    try:
        _remove(home / GONE, home)
        for record in over:
            for version in _versions(record) - stay:
                for folder in (POLICIES, ASIDE):
                    _remove(home / folder / version, home)
                (home / ASIDE / f"{version}.txt").unlink(missing_ok=True)
            if record.get("new") != served:
                remove_round_folder(round_folder(home, record["round"]))
    except OSError as error:
        log.warning("%s: what is left of old rounds could not be removed (%s)", error.filename or home, error.strerror or error)


def _versions_that_stay(records: Sequence[Mapping[str, Any]], served: str, keep: int) -> set[str]:
    begun_with = next((record["old"] for record in records if record.get("old")), served)
    swaps = [record for record in records if record.get("outcome") == SWAPPED]
    # somebody may have pointed the link to an earlier version
    of_served = [record for record in swaps if record["new"] == served]
    return {served, begun_with}.union(*map(_versions, [*records[-keep:], *swaps[-1:], *of_served[-1:]]))


def _versions(record: Mapping[str, Any]) -> set[str]:
    """The versions of a round. They are names of folders here, and nothing else is taken for one."""
    return {version for version in (record.get("old"), record.get("new")) if isinstance(version, str) and NAME.fullmatch(version)}


def _remove(folder: Path, home: Path) -> None:
    """Remove an artefact at once for whoever looks for it under its version: half of one must not be taken for it."""
    gone = home / GONE
    if folder != gone:
        if not folder.is_dir() or folder.is_symlink():
            return
        os.rename(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)
