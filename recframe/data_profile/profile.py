"""The profile of data: what a dataset loads, measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from recframe.data_profile.doubts import Doubt, doubts_about
from recframe.data_profile.interactions import Activity, Feedback, TimeSpan, activity_of, feedback_of, span_of
from recframe.data_profile.texts import TextCoverage, coverage_of
from recframe.interfaces import Data

EXAMPLES = 8


@dataclass(frozen=True)
class DataProfile:
    """What data look like.

    name: the dataset and the settings that it was loaded with, as written.    made: when.
    num_users: 0 if the data have no users.
    density: known pairs of a user and an item over all pairs; None without interactions.
    users, items: the interactions of each; None without interactions.
    texts: coverage by role: items, and users, contexts and interactions where they have texts.
    attributes: the share of items that have each attribute.
    examples: titles and texts of the most popular items.
    """

    name: str
    made: datetime
    num_users: int
    num_items: int
    num_interactions: int
    num_pairs: int
    density: float | None
    users: Activity | None
    items: Activity | None
    time: TimeSpan | None
    feedback: tuple[Feedback, ...]
    texts: dict[str, TextCoverage]
    attributes: dict[str, float]
    examples: tuple[tuple[str, str], ...]
    doubts: tuple[Doubt, ...]


def profile_of(data: Data, name: str, now: datetime) -> DataProfile:
    """Measure data.

    Parameters
    ----------
    now: times after it are in the future.
    """
    frame, signals, timed = interactions_of(data)
    catalog = data.catalog
    num_users = len(data.users) if data.users is not None else 0 if frame is None else frame["user"].n_unique()
    pairs = 0 if frame is None else frame.select(pl.struct("user", "item").n_unique()).item()
    texts = {"items": coverage_of(catalog.texts, catalog.ids)}
    if data.users is not None and data.users.profiles is not None:
        texts["users"] = coverage_of(data.users.profiles.texts, data.users.ids)
    if data.contexts is not None:
        texts["contexts"] = coverage_of(data.contexts.texts, None)
    if frame is not None and "text" in frame.columns:
        texts["interactions"] = coverage_of(frame["text"].fill_null("").to_list(), None)
    users = None if frame is None else activity_of(frame, "user", num_users)
    items = None if frame is None else activity_of(frame, "item", len(catalog))
    time = span_of(frame) if frame is not None and timed else None
    feedback = () if frame is None else tuple(feedback_of(frame[signal], signal) for signal in signals)
    popular = catalog.popularity.argsort(descending=True, stable=True)[:EXAMPLES].tolist()
    titles = catalog.titles
    return DataProfile(
        name=name,
        made=now,
        num_users=num_users,
        num_items=len(catalog),
        num_interactions=0 if frame is None else frame.height,
        num_pairs=pairs,
        density=None if frame is None or not num_users else pairs / (num_users * len(catalog)),
        users=users,
        items=items,
        time=time,
        feedback=feedback,
        texts=texts,
        attributes={column: known_share(catalog.attributes[column]) for column in catalog.attributes.columns if column != "title"},
        examples=tuple((str(titles[row]), catalog.texts[row]) for row in popular),
        doubts=tuple(doubts_about(data, frame, signals, users, items, time, feedback, texts, now)),
    )


def known_share(values: pl.Series) -> float:
    """The share of values that are there: neither null, nor an empty text or list."""
    there = values.is_not_null()
    if values.dtype == pl.String:
        there &= values.str.strip_chars() != ""
    elif values.dtype == pl.List:
        there &= values.list.len() > 0
    return int(there.sum()) / max(len(values), 1)


def interactions_of(data: Data) -> tuple[pl.DataFrame | None, tuple[str, ...], bool]:
    """The interactions, their signals, and whether they have times. Known entries of a rating matrix are interactions without time."""
    if data.interactions is not None and len(data.interactions):
        return data.interactions.frame, data.interactions.feedback, True
    if data.ratings is None:
        return None, (), False
    user, item = (~data.ratings.isnan()).nonzero(as_tuple=True)
    if not len(user):
        return None, (), False
    rating = data.ratings[user, item].double()
    return pl.DataFrame({"user": user.numpy(), "item": item.numpy(), "rating": rating.numpy()}), ("rating",), False
