"""Builds `Data` from the rows of a log and tables of items and users, and says what is doubtful in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Catalog, Data, DataError, Interactions, LoggedChoices, Texts, Users
from recframe_plugins.datasets.interaction_logs.doubts import report_doubtful_ids, report_doubts
from recframe_plugins.datasets.interaction_logs.log_rows import FRACTION
from recframe_plugins.datasets.text_template import as_text, check_template, fill_template, item_texts, text_columns

__all__ = ["LogParts", "build_data"]

logger = logging.getLogger(__name__)


class LogParts(NamedTuple):
    """What a dataset has read.

    path: the file of the log, for messages.   rows: see `LogRows`, in file order.   signals: the columns of feedback.
    items: `id`, `title` and attributes, or None.   users: `id` and attributes, or None.
    pseudonyms: what stands for the ids of users.   features: a function from the rows, in their final order, to features `[R, X]`.
    find_choices: one from the rows and the ids of the items to what could have been shown in each row.
    """

    path: Path
    rows: pl.DataFrame
    signals: Sequence[str]
    items: pl.DataFrame | None = None
    users: pl.DataFrame | None = None
    pseudonyms: Callable[[Sequence[str]], list[str]] = list
    features: Callable[[pl.DataFrame], Tensor] | None = None
    find_choices: Callable[[pl.DataFrame, pl.Series], LoggedChoices] | None = None


def build_data(parts: LogParts, text_template: str, profile_template: str | None = None, repeats: str = "keep") -> Data:
    """Number users and items, order the rows by time (see `in_order_of_time`), and fill in the templates.

    Items are those of their table, then those that only the log has. Users are those of the log, in the order of their first rows.

    Raises
    ------
    DataError: no row is left, no item of the log is in the table, a template does not fit the columns, or decisions with propensities
        are to be left out.
    """
    rows = parts.rows
    if rows.is_empty():
        raise DataError(f"{parts.path}: holds no usable row, expected at least one interaction")
    if repeats == "last" and "propensity" in rows.columns:
        raise DataError(
            f"dataset.repeats=last: {parts.path} has propensities, which are wrong for a choice of its decisions; use dataset.repeats=keep"
        )
    items = all_items(parts)
    check_template(text_template, text_columns(items.drop("id")))
    user_ids = rows.select(pl.col("user").unique(maintain_order=True))["user"]
    report_doubtful_ids(parts.path, user_ids, "user")
    report_doubtful_ids(parts.path, items["id"], "item")
    rows = rows.with_columns(
        pl.col("user").replace_strict(user_ids, range(len(user_ids)), return_dtype=pl.Int64),
        pl.col("item").replace_strict(items["id"], range(len(items)), return_dtype=pl.Int64),
    )
    report_doubts(parts.path, rows, parts.signals)
    rows = in_order_of_time(rows)
    if repeats == "last":
        pair = pl.col("user") * len(items) + pl.col("item")
        kept = rows.filter(pair.is_last_distinct())
        if len(kept) < len(rows):
            logger.info("%s: %d earlier interaction(s) with an item of a later one are left out", parts.path, len(rows) - len(kept))
        rows = kept
    columns = ["user", "item", "timestamp", *parts.signals, *(name for name in ("text", "position", "propensity") if name in rows.columns)]
    frame = rows.select(columns)
    if "position" in frame.columns and frame["position"].min() == 1:
        logger.info("%s: places in the slate are counted from 1 and become those from 0", parts.path)
        frame = frame.with_columns(pl.col("position") - 1)
    if "session" in rows.columns:
        frame = frame.with_columns(session_numbers(rows))
    features = None if parts.features is None else parts.features(rows)
    choices = None if parts.find_choices is None else parts.find_choices(rows, items["id"])
    interactions = Interactions(frame, tuple(parts.signals), str(parts.path), features, choices)
    counts = rows.group_by("item").len()
    popularity = torch.zeros(len(items))
    popularity[torch.from_numpy(counts["item"].to_numpy().copy())] = torch.from_numpy(counts["len"].to_numpy().copy()).float()
    return Data(
        catalog=Catalog(
            ids=items["id"].to_list(), texts=item_texts(text_template, items.drop("id")), attributes=items.drop("id"), popularity=popularity
        ),
        users=numbered_users(parts, user_ids, profile_template),
        interactions=interactions,
    )


def in_order_of_time(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows by time, to the fraction of a second; those of one time stay in the order of the file."""
    if FRACTION not in rows.columns:
        return rows.sort("timestamp", maintain_order=True)
    # most logs have whole seconds, and sorting by one column is faster
    by = ["timestamp", FRACTION] if (rows[FRACTION] > 0).any() else ["timestamp"]
    return rows.sort(by, maintain_order=True).drop(FRACTION)


def session_numbers(rows: pl.DataFrame) -> pl.Series:
    """The number of each row's session, by first appearance; sessions of one id are another for another user."""
    pairs = rows.select("user", "session")
    distinct = pairs.unique(maintain_order=True).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("number"))
    return pairs.join(distinct, on=["user", "session"], how="left", maintain_order="left")["number"].alias("session")


def all_items(parts: LogParts) -> pl.DataFrame:
    """The items of the table, then those that only the log has, whose titles are their ids."""
    logged = parts.rows.select(pl.col("item").unique(maintain_order=True))["item"]
    if parts.items is None:
        return pl.DataFrame({"id": logged, "title": logged})
    unknown = logged.filter(~logged.is_in(parts.items["id"].implode()))
    if len(unknown) == len(logged):
        there = parts.items["id"].first()
        raise DataError(
            f"{parts.path}: no item of it is in the table of items (one is {logged[0]!r} here, and one {there!r} there); expected the same "
            "ids: see dataset.columns.item and dataset.item_columns.id"
        )
    if len(unknown):
        logger.warning(
            "%s: %d of %d item(s) are not in the table of items, and have no text but their id; the first is %r",
            parts.path,
            len(unknown),
            len(logged),
            unknown[0],
        )
    without = len(parts.items) - len(logged) + len(unknown)
    if without:
        logger.info("%s: %d item(s) of the table have no interaction", parts.path, without)
    return pl.concat([parts.items, pl.DataFrame({"id": unknown, "title": unknown})], how="diagonal")


def numbered_users(parts: LogParts, user_ids: pl.Series, profile_template: str | None) -> Users:
    """The users of the log, with the attributes and texts of their table."""
    names = parts.pseudonyms(user_ids.to_list())
    if parts.users is None:
        return Users(ids=names)
    known = pl.DataFrame({"id": user_ids}).join(parts.users, on="id", how="left", maintain_order="left").drop("id")
    found = user_ids.is_in(parts.users["id"].implode()).sum()
    if not found:
        raise DataError(
            f"{parts.path}: no user of it is in the table of users; expected the same ids: "
            "see dataset.columns.user and dataset.user_columns.id"
        )
    if found < len(user_ids):
        logger.warning("%s: %d of %d user(s) are not in the table of users", parts.path, len(user_ids) - found, len(user_ids))
    if found < len(parts.users):
        logger.info("%s: %d user(s) of the table have no interaction and are left out", parts.path, len(parts.users) - found)
    profiles = None
    if profile_template is not None:
        check_template(profile_template, text_columns(known), setting="dataset.profile_template")
        profiles = Texts(fill_template(profile_template, as_text(known)))
    return Users(ids=names, profiles=profiles, attributes=known if known.width else None)
