"""Atomic writing of files and folders: a reader, or a crash, finds either the old content or the new."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recframe.errors import UserError

TEMPORARY = ".*." + "[0-9a-f]" * 8 + ".tmp"
"""The pattern of temporary files for `Path.glob`; a killed process may leave one behind."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, to write a file to; at the end the file is synced to disk and renamed to `path`.

    If anything fails, the old file remains and the temporary file is removed.

    Raises
    ------
    OSError: if the folder is missing or not writable, or the disk is full.
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
    """Write `content` (text as UTF-8) to `path` atomically; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def _sync_file(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it is on disk."""
    if os.name == "nt":  # Windows cannot open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderNotReplacedError(UserError, FileExistsError):
    """A complete folder could not be renamed to its path; the message says where it is."""


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder next to `path`, to be filled; at the end its files are synced to disk and it is renamed to `path`.

    Only an empty folder at `path` is replaced. If anything fails while the temporary folder is filled, it is removed. If anything fails
    after that, it is kept, since its content may have taken hours.

    Raises
    ------
    OSError: if the parent folder cannot be created or written.
    FolderNotReplacedError: if something other than an empty folder is now at `path`, or it cannot be replaced.
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
            # a process that still writes there, such as a logger's, may remove files
            with suppress(FileNotFoundError):
                _sync_file(written)
        if path.is_dir():
            path.rmdir()
        os.rename(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderNotReplacedError(f"{path}: cannot be replaced ({reason}); the new folder is complete in {temporary}") from error
    _sync_folder(path.parent)
