"""What a policy reads of a person besides the history: who it is, a profile, and what is said now."""

from __future__ import annotations

from typing import NamedTuple

from recframe.interfaces import Data, EnvironmentSpec, Role
from recframe.plugin_loader import closest
from recframe.serving.query_error import QueryError


class Person(NamedTuple):
    """rows: by role, the rows of what is in the data.   texts: by role, the texts that are not; None: nothing is known."""

    rows: dict[Role, int]
    texts: dict[Role, str | None]


def read_person(data: Data, spec: EnvironmentSpec, user: str | int | None, profile: str | None, context: str | None) -> Person:
    """The rows and the texts behind the arguments of `LoadedPolicy.recommend`.

    Raises
    ------
    QueryError: the user is not in the data, both a user and a profile are given, or something that the policy does not read.
    """
    for of, given in (("profile", profile), ("context", context)):
        if given is not None and not isinstance(given, str):
            raise QueryError(f"{of}: it is a text, not a {type(given).__name__}")
    found = Person({}, {})
    _read_user(found, data, spec, user, profile)
    contexts = data.contexts if spec.has_context else None
    if contexts is None:
        if context is not None:
            raise QueryError("context: visits of this run come with no text; leave it out")
    elif context in contexts.texts:
        found.rows["context"] = contexts.texts.index(str(context))
    else:
        found.texts["context"] = context
    return found


def _read_user(found: Person, data: Data, spec: EnvironmentSpec, user: str | int | None, profile: str | None) -> None:
    users = data.users if spec.has_users else None
    if users is None:
        given = {"user": user, "profile": profile}
        if wrong := [of for of, value in given.items() if value is not None]:
            raise QueryError(f"{wrong[0]}: the users of this run are anonymous; leave it out")
    elif user is not None and profile is not None:
        raise QueryError("profile: that of a user of the data is known; leave it out, or leave out user")
    elif user is not None:
        found.rows["user"] = _row_of(str(user), users.ids)
    elif profile is not None and (users.profiles is None or users.profiles.vectors is None):
        raise QueryError("profile: the people of this run have none; leave it out")
    else:
        found.texts["user"] = profile


def _row_of(user: str, ids: list[str]) -> int:
    if user in ids:
        return ids.index(user)
    meant = closest(user, ids)
    remedy = f"did you mean {meant!r}?" if meant else f"ids are such as {ids[0]!r}"
    raise QueryError(f"user: no user of the run's data has the id {user!r}; {remedy}")
