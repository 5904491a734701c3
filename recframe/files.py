"""Files: their hashes, the permissions of new ones, and the reason why one cannot be read or written."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REFUSALS = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EDQUOT", "EFBIG", "EIO", "EMFILE", "ENAMETOOLONG", "ENOSPC", "EPERM", "EROFS")
    if hasattr(errno, name)
)
"""Error numbers by which an operating system refuses to read or write, whatever the program asked for."""

OWN_CODE = re.compile(r"\(os error (\d+)\)")
"""How libraries in Rust, such as safetensors, give the system's error number."""


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal. A file is read once per process, unless it changes."""
    path = path.resolve()
    stat = path.stat()
    return _file_sha256(path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.cache
def _file_sha256(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def usual_permissions(path: Path) -> Iterator[None]:
    """Give the new file that the block writes to `path` the permissions that the umask gives; safetensors allows the owner only.

    Raises
    ------
    OSError: if there is such a file, or it cannot be created.
    """
    path.touch(exist_ok=False)
    usual = path.stat().st_mode
    yield
    if path.stat().st_mode != usual:
        path.chmod(usual)


def system_error(error: BaseException) -> OSError | None:
    """The refusal of the operating system behind `error`, which a library may have replaced by its own; None if there is none."""
    if isinstance(error, OSError):
        return error
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in REFUSALS:
            return seen
        if (number := OWN_CODE.search(str(seen))) and int(number[1]) in REFUSALS:
            return OSError(int(number[1]), os.strerror(int(number[1])))
        seen = seen.__cause__ or seen.__context__
    return None
