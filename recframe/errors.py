"""Errors that the command line shows without a traceback: a user's mistake, and a request to stop."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can correct; the message says what is wrong and what would be right."""

    exit_code = 2


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
    """A job of a sweep was stopped with the sweep. It is an `Exception`, so that launchers pass it on and let the other jobs end."""
