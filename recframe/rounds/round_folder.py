"""The folders of rounds, `round-NNNN`. Each has a file that says that recframe learn made it; others are never removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from recframe.errors import UserError

MARKER = "made-by-recframe-learn"
NAME = re.compile(r"round-\d{4,}", re.ASCII)


def round_folder(home: Path, number: int) -> Path:
    """The folder of a round."""
    return home / f"round-{number:04}"


def made_here(folder: Path) -> bool:
    """Whether recframe learn made this folder for a round."""
    return NAME.fullmatch(folder.name) is not None and not folder.is_symlink() and (folder / MARKER).is_file()


def made_folders(home: Path) -> Iterator[Path]:
    """The folders that recframe learn made for rounds."""
    return (folder for folder in home.glob("round-*") if made_here(folder))


def make_round_folder(folder: Path) -> None:
    """Make an empty folder for a round, in place of one of the same round that was killed.

    Raises
    ------
    UserError: there is something that recframe learn did not make.
    """
    remove_round_folder(folder)
    # an empty one may be of a process that was killed here
    empty = folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    if os.path.lexists(folder) and not empty:
        raise UserError(f"{folder}: is there, and recframe learn did not make it; move it away, or choose another folder with --runs")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()


def remove_round_folder(folder: Path) -> None:
    """Remove what is left of a round, if recframe learn made it. The file that says so goes last, so that a kill leaves it."""
    if not made_here(folder):
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != MARKER:
            entry.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
