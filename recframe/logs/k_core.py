"""The k-core of a dataset: the users and items with enough interactions among each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import polars as pl
import torch

from recframe.interfaces import PAD, Data, DataError, Texts

KEYS = MappingProxyType({"user": "split.min_user_interactions", "item": "split.min_item_interactions"})


def core_rows(users: np.ndarray, items: np.ndarray, min_user: int, min_item: int) -> np.ndarray:
    """Which interactions are in the core, `[R]` bool: the largest set in which every user and item that occurs does so often enough.

    The set is unique, since two such sets together are one (Seidman, 1983, for graphs).

    Parameters
    ----------
    users, items: `[R]` int64, the numbers of each interaction's user and item, from 0.
    """
    rows = np.arange(len(users))
    left = -1
    while left != len(rows):
        left = len(rows)
        for numbers, least in ((users, min_user), (items, min_item)):
            if least > 1 and len(rows):
                of_rows = numbers[rows]
                enough = np.bincount(of_rows) >= least
                rows = rows[enough[of_rows]]
    kept = np.zeros(len(users), dtype=bool)
    kept[rows] = True
    return kept


def k_core(data: Data, min_user: int, min_item: int, keys: Mapping[str, str] = KEYS) -> Data:
    """The data with only the users with `min_user` interactions or more and the items with `min_item` or more, among each other.

    Users and items are numbered anew, in the same order, in everything that has a row of them. Users without an interaction are left out;
    items without one are, too, unless `min_item` is 0. Popularity is counted anew. With both at 0, or without interactions, the data is
    returned as it is. Every interaction counts, also one with an item that the user has met before.

    Parameters
    ----------
    keys: the settings to name in messages.

    Raises
    ------
    DataError: nothing is left.
    """
    interactions = data.interactions
    if interactions is None or max(min_user, min_item) <= 0:
        return data
    users, items = (interactions.frame[name].to_numpy() for name in ("user", "item"))
    kept = core_rows(users, items, min_user, min_item)
    if not kept.any():
        raise DataError(
            f"{interactions.source or 'the log'}: no interaction is left with {keys['user']}={min_user} and {keys['item']}={min_item}, "
            "expected lower minima"
        )
    core = interactions.where(kept)
    num_users = len(data.users) if data.users is not None else int(users.max()) + 1
    user_counts = np.bincount(users[kept], minlength=num_users)
    item_counts = np.bincount(items[kept], minlength=len(data.catalog))
    kept_users, kept_items = user_counts > 0, item_counts >= min_item
    frame = core.frame.with_columns(_renumbered(core.frame["user"], kept_users), _renumbered(core.frame["item"], kept_items))
    chosen = _of_items(_of_users(data, kept_users), kept_items)
    counts = torch.from_numpy(item_counts[kept_items]).to(chosen.catalog.popularity)
    choices = core.choices
    if choices is not None:
        # of lists, too, the items that are left
        numbers = torch.from_numpy(np.where(kept_items, np.cumsum(kept_items) - 1, PAD))
        choices = replace(choices, items=numbers[choices.items])
    return chosen._replace(catalog=replace(chosen.catalog, popularity=counts), interactions=replace(core, frame=frame, choices=choices))


def _of_users(data: Data, kept: np.ndarray) -> Data:
    """The data with only the users where `kept` `[P]` is true, besides the interactions."""
    rows, mask = np.flatnonzero(kept), torch.from_numpy(kept)
    if data.users is not None:
        users = data.users
        profiles, attributes = users.profiles, users.attributes
        users = replace(
            users,
            ids=[users.ids[row] for row in rows],
            profiles=None if profiles is None else _chosen(profiles, rows),
            attributes=None if attributes is None else attributes.filter(pl.Series(kept)),
        )
        data = data._replace(users=users)
    return data._replace(
        ratings=None if data.ratings is None else data.ratings[mask.to(data.ratings.device)],
        held_out=None if data.held_out is None else data.held_out[mask.to(data.held_out.device)],
    )


def _of_items(data: Data, kept: np.ndarray) -> Data:
    """The data with only the items where `kept` `[M]` is true, besides the interactions."""
    rows, mask = np.flatnonzero(kept), torch.from_numpy(kept)
    catalog = data.catalog
    vectors = catalog.text_vectors
    catalog = replace(
        catalog,
        ids=[catalog.ids[row] for row in rows],
        texts=[catalog.texts[row] for row in rows],
        attributes=catalog.attributes.filter(pl.Series(kept)),
        popularity=catalog.popularity[mask.to(catalog.popularity.device)],
        text_vectors=None if vectors is None else vectors[mask.to(vectors.device)],
    )
    ratings = data.ratings
    return data._replace(catalog=catalog, ratings=None if ratings is None else ratings[:, mask.to(ratings.device)])


def _chosen(texts: Texts, rows: np.ndarray) -> Texts:
    """The texts in these rows, with all that belongs to them."""
    chosen, vectors, attributes = torch.from_numpy(rows), texts.vectors, texts.attributes
    labels = {
        name: replace(one, probabilities=one.probabilities[chosen.to(one.probabilities.device)]) for name, one in texts.labels.items()
    }
    return Texts(
        texts=[texts.texts[row] for row in rows],
        vectors=None if vectors is None else vectors[chosen.to(vectors.device)],
        attributes=None if attributes is None else attributes[rows],
        labels=labels,
    )


def _renumbered(numbers: pl.Series, kept: np.ndarray) -> pl.Series:
    """Row numbers of a table as row numbers among its `kept` rows (a mask)."""
    return pl.Series(numbers.name, (np.cumsum(kept) - 1)[numbers.to_numpy()], dtype=pl.Int64)
