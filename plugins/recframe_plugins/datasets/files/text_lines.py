"""Reads text files as frames of numbered lines, so that messages can name the line of a malformed row."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recframe.interfaces import DataError

__all__ = ["NumberedLines", "read_lines"]

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
    """Read a file.

    Parameters
    ----------
    encoding: `"utf-8"`, `"latin-1"`, or `"auto"`: UTF-8, unless more of the lines that are not ASCII fail to decode than succeed.

    Raises
    ------
    DataError: if the file cannot be read.
    """
    try:
        content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}), expected a readable file") from error
    if content.isascii():
        return NumberedLines(content, [])
    if encoding == "latin-1":
        return NumberedLines(from_latin1(content), [])
    if is_utf8(content):
        return NumberedLines(content, [])
    lines = content.split(b"\n")
    undecodable = [number for number, line in enumerate(lines, 1) if not is_utf8(line)]
    decodable = sum(not line.isascii() for line in lines) - len(undecodable)
    if encoding == "auto" and len(undecodable) > decodable:
        return NumberedLines(from_latin1(content), [])
    for number in undecodable:
        lines[number - 1] = lines[number - 1].decode(errors="replace").encode()
    return NumberedLines(b"\n".join(lines), undecodable)


def is_utf8(content: bytes) -> bool:
    """Whether `content` is valid UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def from_latin1(content: bytes) -> bytes:
    """Latin-1 content as UTF-8."""
    return content.decode("latin-1").encode()
