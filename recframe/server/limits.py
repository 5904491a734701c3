"""What is checked of a request beside its form: the limits of the settings."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException

from recframe.server.config import LimitsConfig
from recframe.server.messages import RecommendRequest

UNPROCESSABLE = 422


def require_within(limits: LimitsConfig, asked: RecommendRequest) -> None:
    """Refuse a question that asks for more than the server's settings allow.

    Raises
    ------
    HTTPException: 422, with what the limit is.
    """
    if asked.k is not None and asked.k > limits.k:
        raise HTTPException(UNPROCESSABLE, f"k: {asked.k} is too many; this server gives {limits.k} items at most (limits.k)")
    require_at_most(limits.history, "history", asked.history, "limits.history")
    for name in ("candidates", "exclude", "must_include"):
        require_at_most(limits.ids, name, getattr(asked, name), "limits.ids")
    require_short(limits, "profile", asked.profile)
    require_short(limits, "say", asked.say)


def require_at_most(limit: int, name: str, entries: Sequence[object] | None, setting: str) -> None:
    """Refuse a list that is too long.

    Raises
    ------
    HTTPException: 422.
    """
    if entries is not None and len(entries) > limit:
        raise HTTPException(UNPROCESSABLE, f"{name}: {len(entries)} entries are too many; this server reads {limit} at most ({setting})")


def require_short(limits: LimitsConfig, name: str, text: str | None) -> None:
    """Refuse a text that is too long.

    Raises
    ------
    HTTPException: 422.
    """
    if text is not None and len(text) > limits.text:
        raise HTTPException(
            UNPROCESSABLE, f"{name}: {len(text)} characters are too many; this server reads {limits.text} at most (limits.text)"
        )
