"""Writing a file so that a reader, or a crash, only ever meets the old content or the new."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recframe.errors import UserError

TEMPORARY = ".*." + "[0-9a-f]" * 8 + ".tmp"
"""What temporary files are called, as `Path.glob` reads it: a killed process may leave one behind."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path` to write a file to; it is brought to the disk and renamed over `path` at the end.

    If anything fails on the way, what was there stays and the temporary file is gone.

    Raises
    ------
    OSError: if the folder is missing, not writable or full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def atomic_write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Put `content` (text as UTF-8) into `path`, whole or not at all; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def _sync_file(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring the rename itself to the disk."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderInTheWayError(UserError, FileExistsError):
    """A folder that is complete could not take its name; the message says where it lies instead."""


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; at the end its files are brought to the disk, and it is renamed to `path`.

    If anything fails while it is filled, there is no folder but the one that was there, which may only be an empty one. If it fails after
    that, the temporary folder stays: what it holds may have taken hours.

    Raises
    ------
    OSError: if the parent folder cannot be made or written.
    FolderInTheWayError: if `path` has come to be something else than an empty folder, or cannot be replaced.
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        for written in temporary.rglob("*"):
            # what still writes there, such as a logger's process, may take files away
            with suppress(FileNotFoundError):
                _sync_file(written)
        if path.is_dir():
            path.rmdir()
        os.rename(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderInTheWayError(f"{path}: cannot be replaced ({reason}); what was to be there is complete in {temporary}") from error
    _sync_folder(path.parent)
