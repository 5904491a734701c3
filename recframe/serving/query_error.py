"""The mistakes of a question."""

from recframe.errors import UserError


class QueryError(UserError, ValueError):
    """A question to a policy that names what its data does not have; the message says what, and what would be right."""
