"""Settings that say where this process sends something: endpoints, stores of loggers, databases. Imports nothing of Hydra's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from recframe.config.apps import APPS
from recframe.config.written import places_at

Key = tuple[str, ...]
EMPTY = (None, "", "???")

DATABASE_VARIABLES = ("PGPASSWORD",)
"""What PostgreSQL's client sends to any server that it is told to connect to."""

HERE = re.compile(
    r"(?:sqlite|file):///[^,]*"
    r"|https?://(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:/[\w./~-]*)?"
    r"|postgres(?:ql)?(?:\+psycopg)?://(?:[\w.-]+@)?(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])?(?::\d+)?(?:/[\w.-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""Addresses that surely are of this machine. Others count as far away, as a query (`?host=`) or an interpolation may name another host."""
PASSWORDS = re.compile(r"(?<=//)[^/@]*:[^/@]*(?=@)|(?<=password=)[^&]*", re.IGNORECASE)


class Address(NamedTuple):
    """Where something is sent: the setting's key, the address without passwords, its kind, and the variables that no setting names."""

    key: Key
    text: str
    kind: Literal["endpoint", "logger", "database"]
    unnamed: tuple[str, ...] = ()


def address_at(key: Key, value: Any) -> Address | None:
    """What a setting's value is the address of. None: of nothing, or of a store on this machine.

    An endpoint on this machine is one all the same: who listens there may be anybody.
    """
    places = [place.metadata for place in places_at(key, tuple(APPS.values()))]
    given = [one["address"] for one in places if one.get("address")]
    database = any(one.get("database") for one in places)
    if value in EMPTY or not (given or database):
        return None
    if not database and key[0] != "logger":
        return Address(key, str(value), "endpoint")
    # a logger's choice may stand for an address
    chosen = [one.get(value) if isinstance(one, Mapping) else value for one in given] if given else [value]
    far = [str(one) for one in chosen if one is not None and HERE.fullmatch(str(one)) is None]
    if not far:
        return None
    unnamed = dict.fromkeys([*(DATABASE_VARIABLES if database else ()), *(name for one in places for name in one.get("sends") or ())])
    return Address(key, PASSWORDS.sub("***", far[0]), "database" if database else "logger", tuple(unnamed))


def declares(key: Key, flag: str) -> bool:
    """Whether some component's option at a key is declared with a flag."""
    return any(place.metadata.get(flag) for place in places_at(key, tuple(APPS.values())))
