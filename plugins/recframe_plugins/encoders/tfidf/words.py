"""Words in texts of any script: letters, digits and underscores with their combining marks, in one normal form."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import chain

__all__ = ["composed", "has_marks", "has_word", "word"]

PLANES_WITH_MARKS = (range(0x20000), range(0xE0000, 0xF0000))


@cache
def _marks() -> str:
    """All combining marks (Unicode's categories Mn, Mc and Me) and the joiners within words, as ranges for a set of characters."""
    ranges: list[list[int]] = []
    for code in chain(*PLANES_WITH_MARKS):
        if unicodedata.category(chr(code))[0] == "M" or code in (0x200C, 0x200D):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# Python's \w has no marks, so that it ends a word at each vowel sign of the Indic scripts and of Thai. Scikit-learn's own pattern also
# drops words of one letter, and so titles such as "M" and "9". Made when it is needed: all characters are looked through for it.
def word() -> str:
    """The pattern of a word."""
    return rf"\w[\w{_marks()}]*"


def has_word(text: str) -> bool:
    """Whether there is a word in a text: its first character is one of Python's letters, digits and underscores."""
    return re.search(r"\w", composed(text)) is not None


@cache
def _mark() -> re.Pattern[str]:
    return re.compile(f"[{_marks()}]")


def composed(text: str) -> str:
    """The text in Unicode's normal form C, so that letters with accents have one form."""
    return unicodedata.normalize("NFC", text)


def has_marks(text: str) -> bool:
    """Whether the words of a text depend on its marks or on its normal form."""
    return not text.isascii() and (_mark().search(text.lower()) is not None or not unicodedata.is_normalized("NFC", text))
