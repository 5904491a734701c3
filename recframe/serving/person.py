"""What a policy reads of a person besides the history: who it is, a profile, and what is said now."""

from __future__ import annotations

from typing import NamedTuple

from recframe.interfaces import Data, EnvironmentSpec, Role
from recframe.serving.query_error import QueryError
from recframe.serving.question import Question
from recframe.serving.similar import did_you_mean


class Person(NamedTuple):
    """rows: by role, the rows of what is in the data.   texts: by role, the texts that are not; None: nothing is known."""

    rows: dict[Role, int]
    texts: dict[Role, str | None]


class PersonReader:
    """Finds the rows and the texts behind `user`, `profile` and `context`."""

    def __init__(self, data: Data, spec: EnvironmentSpec) -> None:
        self.users = data.users if spec.has_users else None
        contexts = data.contexts if spec.has_context else None
        self._users = {} if self.users is None else {user: row for row, user in enumerate(self.users.ids)}
        # of texts that are there twice, the first
        self._contexts = None if contexts is None else {text: row for row, text in reversed(list(enumerate(contexts.texts)))}

    def read(self, question: Question) -> Person:
        """The rows and the texts.

        Raises
        ------
        QueryError: the user is not in the data, both a user and a profile are given, or something that the policy does not read.
        """
        for of, given in (("profile", question.profile), ("context", question.context)):
            if given is not None and not isinstance(given, str):
                raise QueryError(f"{of}: it is a text, not a {type(given).__name__}")
        found = Person({}, {})
        self._read_user(found, question)
        context = question.context
        if self._contexts is None:
            if context is not None:
                raise QueryError("context: visits of this run come with no text; leave it out")
        elif context in self._contexts:
            found.rows["context"] = self._contexts[str(context)]
        else:
            found.texts["context"] = context
        return found

    def _read_user(self, found: Person, question: Question) -> None:
        user, profile = question.user, question.profile
        if self.users is None:
            given = {"user": user, "profile": profile}
            if wrong := [of for of, value in given.items() if value is not None]:
                raise QueryError(f"{wrong[0]}: the users of this run are anonymous; leave it out")
        elif user is not None and profile is not None:
            raise QueryError("profile: that of a user of the data is known; leave it out, or leave out user")
        elif user is not None:
            if str(user) not in self._users:
                raise QueryError(f"user: no user of the run's data has the id {str(user)!r}; {did_you_mean(str(user), self.users.ids)}")
            found.rows["user"] = self._users[str(user)]
        elif profile is not None and (self.users.profiles is None or self.users.profiles.vectors is None):
            raise QueryError("profile: the people of this run have none; leave it out")
        else:
            found.texts["user"] = profile
