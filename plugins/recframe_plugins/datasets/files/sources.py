"""The content of a file of data: as it is, or out of a .gz file or of a .zip archive of one file."""

from __future__ import annotations

import gzip
import logging
import zipfile
import zlib
from pathlib import Path

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.archives import unpack_first

__all__ = ["content_of", "require_file"]

logger = logging.getLogger(__name__)

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def require_file(path: Path, setting: str) -> None:
    """Refuse a path that is no file. setting: the key that names it, for the message.

    Raises
    ------
    DataError: it is a folder, or there is nothing.
    """
    if path.is_dir():
        inside = ", ".join(sorted(child.name for child in path.iterdir())[:5]) or "nothing"
        raise DataError(f"{setting}={path}: is a folder (it holds {inside}), expected a file")
    if not path.is_file():
        raise DataError(f"{setting}={path}: there is no such file")


def content_of(path: Path) -> bytes:
    """The bytes of a file, unpacked if it is compressed by gzip or a .zip archive with one file.

    Raises
    ------
    DataError: the file cannot be read, is truncated or damaged, is another kind of archive, or is a .zip archive of none or several files.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start.startswith(GZIP):
            return unzipped(path)
        if start.startswith(ZIP) and path.suffix.lower() not in (".xlsx", ".xlsm", ".ods"):
            return only_member(path)
        if packed := unpack_first(path, "the file in it"):
            raise DataError(f"{path}: {packed}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}), expected a readable file") from None


def unzipped(path: Path) -> bytes:
    """The content of a file compressed by gzip."""
    try:
        return gzip.decompress(path.read_bytes())
    except EOFError:
        raise DataError(f"{path}: is truncated: the compressed data ends before its end; get the whole file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is damaged ({error}), expected data compressed by gzip; get the file again") from None


def only_member(path: Path) -> bytes:
    """The content of the only file in a .zip archive; folders, hidden files and those that macOS adds do not count."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            names = [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
            if len(names) != 1:
                held = ", ".join(sorted(names)[:5]) or "no file"
                raise DataError(f"{path}: holds {held}, expected one file; unpack it and give the file that is meant")
            logger.info("%s: read %s in it", path, names[0])
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: is truncated or damaged ({error}), expected a .zip archive; get the file again") from None
    except RuntimeError as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); unpack it and give the file in it") from None
