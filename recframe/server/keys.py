"""API keys, which come from environment variables and are compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable

from starlette.datastructures import Headers


class ApiKeys:
    """The keys of an environment variable, with commas between them. variable: None: there are no keys."""

    def __init__(self, variable: str | None) -> None:
        text = "" if variable is None else os.environ.get(variable, "")
        self._digests = [_digest(key.strip()) for key in text.split(",") if key.strip()]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def holder_of(self, key: str | None) -> str | None:
        """A name for who has the key, which does not tell it; None: it is none of the keys."""
        if key is None:
            return None
        given = _digest(key)
        # all are compared, so that the time says nothing
        same = [hmac.compare_digest(given, known) for known in self._digests]
        return given.hex()[:12] if any(same) else None


def key_in(headers: Headers) -> str | None:
    """The key that a request brings: `Authorization: Bearer KEY`, or `X-API-Key: KEY`."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return key.strip()
    return headers.get("x-api-key")


def holder(key: str | None, kinds: Iterable[ApiKeys]) -> str | None:
    """The name of who has a key of any of these kinds."""
    found = [name for keys in kinds if (name := keys.holder_of(key)) is not None]
    return found[0] if found else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
