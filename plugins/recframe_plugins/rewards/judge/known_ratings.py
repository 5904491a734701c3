"""What a judge is told of people whose real ratings it is compared with: their other ratings."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from recframe.report_cards import CardRatings, RatingScale


def rated_before(asked: CardRatings, feedback: str, count: int, titles: Sequence[str], scale: RatingScale) -> dict[int, list[str]]:
    """The last `count` known ratings of each person of a card, oldest first, in words, by the person's number."""
    if not count:
        return {}
    theirs = asked.known.filter(pl.col("user").is_in(asked.people.tolist())).sort("timestamp", maintain_order=True)
    rated = theirs.select("user", "item", value=pl.col(feedback).cast(pl.Float64).fill_nan(None)).drop_nulls()
    last = rated.group_by("user", maintain_order=True).tail(count)
    found: dict[int, list[str]] = {}
    for user, item, value in last.iter_rows():
        found.setdefault(user, []).append(f"{titles[item]} (rating {scale.shown(value)} of {scale.shown(scale.high)})")
    return found
