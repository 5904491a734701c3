"""What the command line shows in place of a traceback: errors that a person can mend, and being asked to stop."""

from __future__ import annotations


class UserError(Exception):
    """Something the person running recframe can put right; the message says what was wrong and what would be right."""

    exit_code = 2


class Stop(BaseException):
    """The process was asked to stop and has done what was to be done first; the message says how to go on.

    No `Exception`: nothing that goes on after failures, such as a sweep's next job, may go on after this.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message, exit_code)
        self.message = message
        self.exit_code = exit_code

    def __str__(self) -> str:
        return self.message
