"""The store of what a served policy decided, and of what came back: an SQLite file, or PostgreSQL.

Names are imported when they are used, since the database library is an extra.
"""

from recframe.feedback.errors import FeedbackRefused, StoreError, StoreUnavailable, UnknownRecommendation
from recframe.feedback.records import RecordedDecision, RecordedFeedback, ShownAt, ShownItem, StoredItem

__all__ = [
    "FeedbackRefused",
    "RecordedDecision",
    "RecordedFeedback",
    "ShownAt",
    "ShownItem",
    "StoreError",
    "StoreUnavailable",
    "StoredItem",
    "UnknownRecommendation",
]
