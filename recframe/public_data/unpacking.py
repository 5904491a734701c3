"""Archives unpacked without trust: no path leaves the folder, no links, a bound on the bytes, and nothing in place before all is there."""

from __future__ import annotations

import errno
import fnmatch
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from recframe.console import plain
from recframe.public_data.errors import FetchError
from recframe.public_data.public_set import Unpacking

BLOCK_BYTES = 1 << 20
MOST_MEMBERS = 100_000
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What the standard library raises for an archive that is damaged, encrypted, or of an unknown kind."""


class Member(NamedTuple):
    """A member of an archive. plain_file: whether it is a file, and not a folder; a link or a device is refused before."""

    name: str
    plain_file: bool
    raw: zipfile.ZipInfo | tarfile.TarInfo


def unpack(archive: Path, folder: Path, unpacking: Unpacking) -> dict[str, int]:
    """Unpack the chosen members of a zip or tar archive into `folder`, and return their paths below it with their bytes.

    They are written into a folder of their own first, and moved when all are there.

    Raises
    ------
    FetchError: if the archive is damaged or lacks the members, if a path leads out of the folder or to a link, or if there are more bytes
        than `unpacking.largest`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as name:
        around = Path(name)
        try:
            written = _write_members(archive, around, unpacking)
            if unpacking.inner is not None:
                (inner,) = (path for path in written if PurePosixPath(path).name == unpacking.inner)
                below = Unpacking(unpacking.members, unpacking.largest)
                found = _write_members(around / inner, around, below)
                (around / inner).unlink()
                written = {path: size for path, size in written.items() if path != inner} | found
        except DAMAGE as error:
            raise FetchError(f"{archive.name}: cannot be unpacked ({plain(str(error)) or type(error).__name__}); remove it") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise FetchError(f"{folder}: the disk is full while {archive.name} is unpacked; nothing of it was left") from error
        placed = {}
        for path, size in written.items():
            below_folder = PurePosixPath(unpacking.into, path)
            target = folder / below_folder
            target.parent.mkdir(parents=True, exist_ok=True)
            (around / path).replace(target)
            placed[str(below_folder)] = size
    return placed


def _write_members(archive: Path, folder: Path, unpacking: Unpacking) -> dict[str, int]:
    """Write the chosen members below `folder`; their paths and bytes."""
    patterns = unpacking.members if unpacking.inner is None else (*unpacking.members, f"*{unpacking.inner}")
    written: dict[str, int] = {}
    left = unpacking.largest
    with _opened(archive) as (members, open_member):
        for number, member in enumerate(members, start=1):
            if number > MOST_MEMBERS:
                raise FetchError(f"{archive.name}: has more than {MOST_MEMBERS:,} files; nothing was unpacked")
            path = safe_path(member.name, archive.name)
            _refuse_special(member, archive.name)
            if not member.plain_file or not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
                continue
            if path in written:
                raise FetchError(f"{archive.name}: has {plain(path)} twice; nothing was unpacked")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            opened = open_member(member.raw)
            assert opened is not None  # it is a file
            with opened as source, target.open("xb") as out:
                # counted, not believed: the size in an archive's index may be wrong
                while block := source.read(min(BLOCK_BYTES, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise FetchError(f"{archive.name}: unpacks to more than {unpacking.largest:,} bytes; nothing was unpacked")
                    out.write(block)
                written[path] = out.tell()
    found = [PurePosixPath(path).name for path in written]
    lacking = [pattern for pattern in unpacking.members if not any(fnmatch.fnmatchcase(path, pattern) for path in written)]
    if unpacking.inner is not None:
        lacking = [] if found.count(unpacking.inner) == 1 else [unpacking.inner]
    if lacking:
        raise FetchError(f"{archive.name}: lacks {', '.join(lacking)}; it is not the archive that is known")
    return written


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[Member], Callable[[Any], IO[bytes] | None]]]:
    """The members of an archive, and a function that opens one."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            yield (Member(info.filename, not info.is_dir(), info) for info in packed.infolist()), packed.open
    else:
        with tarfile.open(archive) as packed_tar:
            yield (Member(info.name, info.isreg(), info) for info in packed_tar), packed_tar.extractfile


def safe_path(name: str, archive: str) -> str:
    """A member's path below the folder.

    Raises
    ------
    FetchError: if it leads elsewhere, on any system.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    drive = bool(parts) and ":" in parts[0]
    if name.startswith(("/", "\\")) or drive or ".." in parts or "\0" in name:
        raise FetchError(f"{archive}: holds {plain(name)!r}, a path that leads out of the folder; nothing was unpacked")
    return "/".join(parts)


def _refuse_special(member: Member, archive: str) -> None:
    raw = member.raw
    if isinstance(raw, tarfile.TarInfo):
        special = not (raw.isreg() or raw.isdir())
    else:
        kind = stat.S_IFMT(raw.external_attr >> 16)
        special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    if special:
        raise FetchError(f"{archive}: holds {plain(member.name)!r}, a link or a device; nothing was unpacked")
