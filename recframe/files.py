"""Files: their hashes, the permissions of new ones, and the reason why one cannot be read or written."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import all_suffixes
from pathlib import Path

REFUSALS = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EDQUOT", "EFBIG", "EIO", "EMFILE", "ENAMETOOLONG", "ENOSPC", "EPERM", "EROFS")
    if hasattr(errno, name)
)
"""Error numbers by which an operating system refuses to read or write, whatever the program asked for."""

OWN_CODE = re.compile(r"\(os error (\d+)\)")
"""How libraries in Rust, such as safetensors, give the system's error number."""


CODE = tuple(all_suffixes())
"""How the names of files end that Python imports, compiled extensions among them."""

READ_IN_FULL = 64 * 2**20
"""The size up to which `content_sha256` reads the whole of a file, in bytes."""
SAMPLES, SAMPLE_SIZE = 64, 2**20
MOST_FILES = 100
"""The number of files of a folder that `content_sha256` reads."""


def usual_cache() -> Path:
    """The folder for what is kept between runs: `RECFRAME_CACHE`, or else `~/.cache/recframe`."""
    return Path(os.environ.get("RECFRAME_CACHE", "~/.cache/recframe")).expanduser()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal. A file is read once per process, unless it changes."""
    path = path.resolve()
    return _file_sha256(path, *file_state(path))


@functools.cache
def _file_sha256(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_state(path: Path) -> tuple[int, ...]:
    """What changes if a file does.

    Raises
    ------
    OSError: there is no such file.
    """
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def content_sha256(path: Path) -> str:
    """A SHA-256 that tells the content of a file or folder from another's in a bounded time, wherever it is.

    Of a file above `READ_IN_FULL`, its size and evenly spaced samples are read. Of a folder count the names of the files directly in it,
    without hidden ones, and the contents of the first `MOST_FILES`. A file is read once per process, unless it changes.
    """
    path = path.resolve()
    if not path.is_dir():
        return _content_sha256(path, *file_state(path))
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and not entry.name.startswith("."))
    contents = [content_sha256(path / name) for name in names[:MOST_FILES]]
    return hashlib.sha256(json.dumps([names, contents]).encode()).hexdigest()


@functools.cache
def _content_sha256(path: Path, *state: int) -> str:
    size = path.stat().st_size
    if size <= READ_IN_FULL:
        return file_sha256(path)
    digest = hashlib.sha256(f"{size}:".encode())
    with path.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek((size - SAMPLE_SIZE) * sample // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_SIZE))
    return digest.hexdigest()


@functools.cache
def code_sha256(root: Path) -> str:
    """The hash of the code in a folder, or of one file, read once a process. It does not depend on where the folder is."""
    digest = hashlib.sha256()
    for path in _code_in(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}:".encode() + content)
    return digest.hexdigest()


def _code_in(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        # a module in an archive has no file that can be read; its version stands for it
        yield from [root] if root.is_file() else []
        return
    yield from sorted(path for path in _files_below(root) if path.name.endswith(CODE) and path.is_file())


def _files_below(root: Path) -> Iterator[Path]:
    # without a look at what is compiled, of which there is as much: a start does this for all of recframe
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder, name) for name in names)


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
