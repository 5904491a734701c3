"""Words in texts of any script: letters, digits and underscores with their combining marks, in one normal form."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain

__all__ = ["WORD", "composed", "has_marks"]

PLANES_WITH_MARKS = (range(0x20000), range(0xE0000, 0xF0000))


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


MARKS = _marks()

# Python's \w has no marks, so that it ends a word at each vowel sign of the Indic scripts and of Thai. Scikit-learn's own pattern also
# drops words of one letter, and so titles such as "M" and "9".
WORD = rf"\w[\w{MARKS}]*"
MARK = re.compile(f"[{MARKS}]")


def composed(text: str) -> str:
    """The text in Unicode's normal form C, so that letters with accents have one form."""
    return unicodedata.normalize("NFC", text)


def has_marks(text: str) -> bool:
    """Whether the words of a text depend on its marks or on its normal form."""
    return not text.isascii() and (MARK.search(text.lower()) is not None or not unicodedata.is_normalized("NFC", text))
