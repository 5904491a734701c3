"""What can go wrong with a store of feedback."""

from recframe.errors import UserError


class StoreError(UserError):
    """A store that cannot be used: a wrong address, a file that is no store or is damaged, or a missing library."""


class StoreUnavailable(StoreError):
    """The database does not answer, or cannot write now. The same call may succeed later; nothing of it was stored."""


class FeedbackRefused(UserError):
    """Feedback that cannot be stored as it is, or a question about an item that was not shown."""


class UnknownRecommendation(FeedbackRefused):
    """Feedback, or a question, about a recommendation that the store does not know."""
