"""Reads text files as frames of numbered lines, so that messages can name the line of a malformed row."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError
from recframe_plugins.datasets.files.archives import unpack_first
from recframe_plugins.datasets.files.encodings import byte_order_mark, is_utf8, unix_line_ends, western_to_utf8

__all__ = ["NumberedLines", "numbered_lines", "read_lines"]

logger = logging.getLogger(__name__)

# Lines are processed in blocks of this many bytes: the data derived from a block is several times larger.
BLOCK_BYTES = 1 << 26


class NumberedLines(NamedTuple):
    """The content of a file as UTF-8 bytes without byte order mark, and the numbers (from 1) of lines that could not be decoded."""

    content: bytes
    undecodable: list[int]

    @property
    def first(self) -> str:
        """The first line."""
        return self.content.partition(b"\n")[0].decode().rstrip("\r")

    def head(self, most: int) -> list[tuple[int, str]]:
        """The numbers (from 1) and texts of the first `most` lines that are not blank."""
        lines = enumerate(io.BytesIO(self.content), 1)
        return list(islice(((number, line.decode().rstrip("\r\n")) for number, line in lines if line.strip()), most))

    @property
    def first_number(self) -> int:
        """The number (from 1) of the first line that is not blank; 1 if all are."""
        return next((number for number, _ in self.head(1)), 1)

    def blocks(self) -> Iterator[pl.DataFrame]:
        """The lines that are not blank, as frames with the columns `line` (int64, from 1) and `text` (without line end, LF or CRLF)."""
        start, line = 0, 1
        while start < len(self.content):
            found = self.content.find(b"\n", start + BLOCK_BYTES)
            end = len(self.content) if found < 0 else found + 1
            block = self.content[start:end].removesuffix(b"\n")
            text = pl.Series("text", [block], dtype=pl.Binary).cast(pl.String).str.split("\n").explode()
            numbers = pl.int_range(line, line + len(text), dtype=pl.Int64, eager=True).alias("line")
            yield pl.DataFrame([numbers, text.str.strip_suffix("\r")]).filter(pl.col("text").str.strip_chars() != "")
            start, line = end, line + len(text)


def read_lines(path: Path, encoding: str) -> NumberedLines:
    """Read a file. A byte order mark of UTF-8, UTF-16 or UTF-32 decides before `encoding` does; lines may end with LF, CRLF or CR.

    Parameters
    ----------
    encoding: `"utf-8"`, `"latin-1"`, or `"auto"`: UTF-8, unless more of the lines that are not ASCII fail to decode than succeed. What is
        not UTF-8 is read as cp1252 if it has bytes that mean nothing in latin-1, and the log says so.

    Raises
    ------
    DataError: if the file cannot be read, is an archive, or is not text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), expected a readable file") from error
    if packed := unpack_first(path, "the text file in it"):
        raise DataError(f"{path}: {packed}")
    return numbered_lines(path, content, encoding)


def numbered_lines(path: Path, content: bytes, encoding: str) -> NumberedLines:
    """The lines of the `content` of `path`, as `read_lines` decodes them.

    Raises
    ------
    DataError: it is not text.
    """
    if marked := byte_order_mark(content):
        content, encoding = unmarked(path, content, marked), "utf-8"
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise DataError(
            f"{path}: holds zero bytes, expected text in UTF-8 (UTF-16 is read if it begins with a byte order mark); "
            f"the first is on line {line}"
        )
    content = unix_line_ends(content)
    if content.isascii() or (encoding != "latin-1" and is_utf8(content)):
        return NumberedLines(content, [])
    if encoding == "latin-1":
        return NumberedLines(from_western(path, content), [])
    lines = content.split(b"\n")
    undecodable = [number for number, line in enumerate(lines, 1) if not is_utf8(line)]
    decodable = sum(not line.isascii() for line in lines) - len(undecodable)
    if encoding == "auto" and len(undecodable) > decodable:
        return NumberedLines(from_western(path, content), [])
    for number in undecodable:
        lines[number - 1] = lines[number - 1].decode(errors="replace").encode()
    return NumberedLines(b"\n".join(lines), undecodable)


def unmarked(path: Path, content: bytes, encoding: str) -> bytes:
    """Content that begins with a byte order mark, as UTF-8 without it; invalid bytes of UTF-8 are kept, for their line to be named."""
    if encoding == "utf-8-sig":
        return content[3:]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: begins like {encoding.upper()}, but byte {error.start + 1} is not; expected {encoding.upper()}") from None
    logger.info("%s: read as %s", path, encoding.upper())
    return text.encode(errors="replace")


def from_western(path: Path, content: bytes) -> bytes:
    """Content that is not UTF-8, as UTF-8; the log names the encoding."""
    decoded, encoding = western_to_utf8(content)
    logger.info("%s: read as %s", path, encoding)
    return decoded
