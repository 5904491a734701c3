"""The scale of the ratings: what people may answer, what counts as liked, and what stands in for an answer that cannot be used."""

from __future__ import annotations

import logging
from typing import NamedTuple

import polars as pl

from recframe.interfaces import Interactions

log = logging.getLogger(__name__)

MOST_LEVELS = 11
"""Up to this many different ratings in the log, people choose among them; otherwise among `EVEN_LEVELS` evenly spaced ones."""
EVEN_LEVELS = 5


class RatingScale(NamedTuple):
    """levels: the ratings that people may give, ascending.   like_from: from which on an item is liked.   mean: of the log's ratings."""

    levels: tuple[float, ...]
    like_from: float
    mean: float

    @property
    def low(self) -> float:
        """The lowest rating."""
        return self.levels[0]

    @property
    def high(self) -> float:
        """The highest rating."""
        return self.levels[-1]

    def shown(self, rating: float) -> str:
        """A rating as people read and write it."""
        return f"{rating:g}"


USUAL_SCALE = RatingScale((1.0, 2.0, 3.0, 4.0, 5.0), 4.0, 3.0)
"""The scale where there are no ratings: one to five, of which four and five are liked."""


def warn_without_ratings(interactions: Interactions | None, feedback: str, key: str) -> None:
    """Say that a log has no such ratings, so that it tells only what was chosen. `key` is the option that names them."""
    if interactions is not None and feedback not in interactions.feedback:
        log.warning("%s=%s: the log has no such ratings (it has: %s)", key, feedback, ", ".join(interactions.feedback) or "none")


def rating_scale(interactions: Interactions | None, feedback: str, like_from: float | None) -> RatingScale | None:
    """The scale of the logged ratings; None if there are none, or all are equal."""
    if interactions is None or feedback not in interactions.feedback:
        return None
    values = interactions.frame[feedback].cast(pl.Float64).fill_nan(None).drop_nulls()
    levels = values.unique().sort().to_list()
    if len(levels) < 2:
        return None
    low, high = levels[0], levels[-1]
    if len(levels) > MOST_LEVELS:
        levels = [low + (high - low) * place / (EVEN_LEVELS - 1) for place in range(EVEN_LEVELS)]
    mean = values.mean()
    assert isinstance(mean, float)
    return RatingScale(tuple(levels), mean if like_from is None else like_from, mean)
