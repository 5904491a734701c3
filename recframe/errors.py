"""Errors that the command line shows without a traceback: a user's mistake, and a request to stop."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence


class UserError(Exception):
    """A mistake that the user can correct; the message says what is wrong and what would be right."""

    exit_code = 2

    @property
    def lines(self) -> list[str]:
        """One line for each mistake."""
        return [str(self)]

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show in place of a traceback: the message, as on the command line."""
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            return "".join(traceback.format_exception(self)).splitlines()
        return message_of(self.lines).splitlines()


class ModelError(UserError, ValueError):
    """A language model, or its endpoint, that cannot be found, loaded, reached or used as configured; the message says what to do."""


def message_of(lines: Sequence[str]) -> str:
    """The message for one mistake or for several, as commands and notebooks show it."""
    heading = "recframe:" if len(lines) == 1 else f"recframe: {len(lines)} mistakes\n  -"
    return " ".join([heading, "\n  - ".join(lines)])


class Stop(BaseException):
    """The process was asked to stop and has finished its cleanup; the message says how to continue.

    Not an `Exception`: code that continues after failures, such as a sweep with its next job, must not continue after this.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, exit_code)
        self.message = message
        self.exit_code = exit_code

    def __str__(self) -> str:
        return self.message


class JobStopped(Exception):
    """A job of a sweep was stopped with the sweep, or at a limit of its own. It is an `Exception`, so that launchers pass it on and let
    the other jobs end.
    """


class JobAtLimit(JobStopped):
    """A job of a sweep was stopped at a limit of its own, which it would reach again."""


class JobFailed(UserError):
    """A job of a sweep failed in a process of its own; the message is the reason in one line.

    It takes the place of the error, which other processes may not be able to read, and which the job has told and recorded.
    """

    exit_code = 1


class Pruned(Exception):
    """A run was ended before its training was over, because other settings do better. It has neither failed nor a result."""
