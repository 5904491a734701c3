"""How an item was shown: what a recommendation decided about it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from recframe.feedback import tables
from recframe.feedback.errors import FeedbackRefused, UnknownRecommendation
from recframe.feedback.records import ShownAt


def read_shown_at(connection: Connection, recommendation: str, item: str) -> ShownAt:
    """How an item was shown by a recommendation; see `FeedbackStore.shown_at`."""
    made, shown = tables.recommendations, tables.shown_items
    its_own = (shown.c.recommendation == made.c.recommendation) & (shown.c.item == item)
    query = select(made.c.policy, made.c.version, made.c.explored, shown.c.position, shown.c.propensity)
    query = query.join(shown, its_own, isouter=True).where(made.c.recommendation == recommendation)
    row = connection.execute(query.order_by(shown.c.position).limit(1)).one_or_none()
    if row is None:
        raise unknown(recommendation)
    if row.position is None:
        raise not_shown(item, recommendation)
    return ShownAt(*row)


def unknown(recommendation: str) -> UnknownRecommendation:
    """The error about a recommendation that is not there."""
    return UnknownRecommendation(f"recommendation: {recommendation!r} is not known")


def not_shown(item: str, recommendation: str) -> FeedbackRefused:
    """The error about an item that is none of the recommendation's."""
    return FeedbackRefused(f"item: {item!r} was not shown by the recommendation {recommendation!r}")
