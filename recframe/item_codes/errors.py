"""The error of item codes."""

from recframe.errors import UserError


class CodesError(UserError, ValueError):
    """Items that cannot get codes; the message says why and what would be right."""
