"""The base of every error that a person can mend: the command line prints its message in place of a traceback."""


class UserError(Exception):
    """Something the person running recframe can put right; the message says what was wrong and what would be right."""

    exit_code = 2
