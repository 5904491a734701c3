"""The claim of a folder for a run: a free folder, or one that holds this very run, which then goes on."""

from __future__ import annotations

from pathlib import Path

from recframe.tracking.folder import RunFolder
from recframe.tracking.identity import RunIdentity, read_identity

NAMED = 6
"""The largest number of differences that a message names."""


def claim_folder(path: str | Path, identity: RunIdentity) -> RunFolder:
    """Lock a folder for the run of this identity. If it already holds it (`RunFolder.holds_run`), finished or not, the run is to go on.

    Raises
    ------
    RunFolderError: if it holds another run, which differs in what the message names; is being written by another process; or cannot be
        created.
    """
    folder = RunFolder.make(path)
    if not folder.holds_run:
        return folder
    there = read_identity(folder.path)
    if there is None:
        folder.refuse("a run of which it is not known what it was started with")
    if there.key != identity.key:
        folder.refuse(f"another run ({in_words(there.differences(identity)) or 'a value of an environment variable differs'})")
    return folder


def in_words(differences: list[str]) -> str:
    """The first differences in one line."""
    more = f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
    return "; ".join(differences[:NAMED]) + more
