"""Why a public data set could not be fetched, in one line."""

from __future__ import annotations

from recframe.errors import UserError


class FetchError(UserError):
    """A download, a check or an archive failed; the message says what happened, where, and what to do."""

    exit_code = 1


class Lost(Exception):
    """The connection broke, or the server was busy: what has arrived stays, and the download can go on from there."""
