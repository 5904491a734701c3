"""Recognises archives and compressed files by their first bytes, so that a message can say to unpack them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["archive_kind", "unpack_first"]

SIGNATURES = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ\x00": "compressed by xz",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
}

SPREADSHEETS = (".xlsx", ".xlsm", ".ods")


def archive_kind(path: Path) -> str | None:
    """What kind of archive or compressed file `path` is, for a message ("a zip archive"); None if it is none, or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(max(map(len, SIGNATURES)))
    except OSError:
        return None
    return next((kind for signature, kind in SIGNATURES.items() if start.startswith(signature)), None)


def unpack_first(path: Path, expected: str) -> str | None:
    """The rest of a message if `path` is an archive: what it is, and to give what is in it (`expected`); None if it is none."""
    kind = archive_kind(path)
    if kind is not None and path.suffix.lower() in SPREADSHEETS:
        return "is a spreadsheet; save it as .csv and give that file"
    return None if kind is None else f"is {kind}; unpack it and give {expected}"
