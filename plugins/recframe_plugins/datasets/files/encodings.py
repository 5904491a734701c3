"""Decodes the content of text files to UTF-8 with LF line ends."""

from __future__ import annotations

import codecs

__all__ = ["byte_order_mark", "is_utf8", "unix_line_ends", "western_to_utf8"]

# UTF-32 first: its little-endian mark begins with that of UTF-16
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
C1_CONTROLS = bytes(range(0x80, 0xA0))


def byte_order_mark(start: bytes) -> str | None:
    """The encoding that a file's byte order mark names, as Python calls it; None without a mark. `start`: its first four bytes or more."""
    return next((encoding for mark, encoding in MARKS.items() if start.startswith(mark)), None)


def is_utf8(content: bytes) -> bool:
    """Whether `content` is valid UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def western_to_utf8(content: bytes) -> tuple[bytes, str]:
    """Content in a Western encoding as UTF-8, and the name of that encoding.

    latin-1 has control characters at the bytes 0x80 to 0x9f, which no text needs, and cp1252 has quotes, dashes and the euro sign there.
    Content with such bytes is therefore cp1252, unless it has one of the five that cp1252 leaves undefined.
    """
    if len(content.translate(None, C1_CONTROLS)) < len(content):
        try:
            return content.decode("cp1252").encode(), "cp1252"
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1").encode(), "latin-1"


def unix_line_ends(content: bytes) -> bytes:
    """Content whose lines end with CR alone, as old Macintosh programs wrote them, with LF; other content as it is."""
    return content.replace(b"\r", b"\n") if b"\r" in content and b"\n" not in content else content
