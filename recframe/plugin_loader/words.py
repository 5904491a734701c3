"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def suggestion(wrong: str, known: Sequence[str]) -> str:
    """`". Did you mean 'x'? There are: x, y"`; without the question if no known word is similar."""
    close = closest(wrong, known)
    meant = f". Did you mean {close!r}?" if close else "."
    return f"{meant} There are: {', '.join(known) or 'none'}"


def closest(wrong: str, known: Sequence[str]) -> str | None:
    """The known word that is most similar, in upper or lower case, or None if none is similar."""
    spelt = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(str(wrong).casefold(), spelt, n=1)
    return spelt[close[0]] if close else None
