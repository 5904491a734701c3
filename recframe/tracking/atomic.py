"""Atomic writing of files and folders: a reader, or a crash, finds either the old content or the new."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recframe.errors import UserError
from recframe.files import system_error, usual_permissions

TEMPORARY = ".*." + "[0-9a-f]" * 8 + ".tmp"
"""The pattern of temporary files for `Path.glob`; a killed process may leave one behind."""


class WriteError(UserError, OSError):
    """The operating system refuses to write a file, because the disk is full or for lack of permission; the message names the file."""

    exit_code = 1

    def __init__(self, path: Path, cause: OSError) -> None:
        kept = "; its old content is kept" if path.is_file() else ""
        super().__init__(f"{path}: cannot be written ({cause.strerror or cause}){kept}")
        self.errno = cause.errno


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the folder of `path`, to write a file to; at the end the file is synced to disk and renamed to `path`.

    If anything fails, the old file remains and the temporary file is removed. The new file has the permissions that the umask gives.

    Raises
    ------
    WriteError: if the folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with usual_permissions(temporary):
            yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, Exception) and (cause := system_error(error)) is not None:
            raise WriteError(path, cause) from error
        raise
    _sync_folder(path.parent)


def atomic_write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` (text as UTF-8) to `path` atomically; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        # half of a surrogate pair, which some sources of texts contain, has no form in UTF-8
        file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)


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


def _usual_permissions(folder: Path) -> int:
    """The permissions of a new file in `folder`."""
    probe = folder / f".{secrets.token_hex(4)}.tmp"
    with usual_permissions(probe):
        mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    return mode


class FolderNotReplacedError(UserError, FileExistsError):
    """A complete folder could not be renamed to its path; the message says where it is."""


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder next to `path`, to be filled; at the end its files are synced to disk and it is renamed to `path`.

    The files have at least the permissions that the umask gives. Only an empty folder at `path` is replaced. If anything fails while the
    temporary folder is filled, it is removed. If anything fails after that, it is kept, since its content may have taken hours.

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
        usual = _usual_permissions(temporary)
        for written in temporary.rglob("*"):
            if written.is_file() and not written.is_symlink() and (mode := written.stat().st_mode) | usual != mode:
                written.chmod(mode | usual)
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
