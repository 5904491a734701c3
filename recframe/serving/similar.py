"""What somebody may have meant who gave an id that is not there."""

from __future__ import annotations

from collections.abc import Sequence

from recframe.plugin_loader import closest

COMPARED = 2_000
"""The ids that a wrong one is compared with, so that a mistake costs no more than an answer in a large catalogue."""


def did_you_mean(wrong: str, ids: Sequence[str]) -> str:
    """A remedy: the most similar id, or an example of one."""
    meant = closest(wrong, ids[:COMPARED])
    return f"did you mean {meant!r}?" if meant else f"ids are such as {ids[0]!r}"
