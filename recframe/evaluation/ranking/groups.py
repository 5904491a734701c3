"""Parts of held-out queries: by the popularity of the target, by the length of the history, cold items and cold users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recframe.evaluation.people import People
from recframe.interfaces import Interactions
from recframe.logs import HeldOut

HISTORY_BOUNDS = (0, 1, 5, 10, 20, 50, 100)
COLD_ITEMS, COLD_USERS = "cold_items", "cold_users"


class Group(NamedTuple):
    """Some of the T relevant items, `targets` `[T]` bool, and the queries that they belong to.

    queries: the place of each one's query among the `num_queries` of the group.   people: those of these queries.
    """

    targets: np.ndarray
    queries: np.ndarray
    num_queries: int
    people: People


def target_groups(held_out: HeldOut, num_items: int, training: Interactions | None) -> dict[str, Group]:
    """The groups of the relevant items, by name; groups without any are left out.

    In a group, a query's relevant items are those in the group, and queries without any do not count. All groups of one kind together
    hold each relevant item once; cold items and cold users are besides.

    - `popularity_1` to `popularity_10`: tenths of the training interactions, see `popularity_tenths`.
    - `history_0`, `history_1_to_4` and so on: the number of interactions before the query.
    - `cold_items`: items without a training interaction.   `cold_users`: users without one.

    Parameters
    ----------
    training: what was trained on; None: only the groups by history.
    """
    query, users = query_of_targets(held_out), held_out.users.cpu().numpy()
    lengths = held_out.history_lengths.cpu().numpy()[query]
    found = dict(_by_history(lengths))
    if training is not None:
        targets = held_out.targets.cpu().numpy()
        counts = np.bincount(training.frame["item"].to_numpy(), minlength=num_items)
        tenths = popularity_tenths(counts)[targets]
        found = {f"popularity_{tenth}": tenths == tenth for tenth in range(1, 11)} | found
        found[COLD_ITEMS] = counts[targets] == 0
        found[COLD_USERS] = ~np.isin(users, training.frame["user"].to_numpy())[query]
    groups = {}
    for name, inside in found.items():
        if inside.any():
            queries, places = np.unique(query[inside], return_inverse=True)
            groups[name] = Group(inside, places, len(queries), People.of_sessions(users[queries]))
    return groups


def query_of_targets(held_out: HeldOut) -> np.ndarray:
    """The query of each relevant item, `[T]`."""
    return np.repeat(np.arange(len(held_out)), held_out.offsets.diff().cpu().numpy())


def popularity_tenths(counts: np.ndarray) -> np.ndarray:
    """The tenth of all interactions that each item stands in, `[M]` int64 from 1, the most popular; items without any are in the last.

    Items are in order of their interactions, `counts` `[M]`; the tenth is where the middle of an item's interactions lies, so that each
    holds about as many interactions, and about as many targets. Items with equal counts are in the same.
    """
    total = max(int(counts.sum()), 1)
    values, of_item, sizes = np.unique(-counts, return_inverse=True, return_counts=True)
    mass = -values * sizes
    middle = (mass.cumsum() - mass / 2.0) / total
    tenths: np.ndarray = np.minimum((middle * 10).astype(np.int64), 9)[of_item] + 1
    return np.where(counts > 0, tenths, 10)


def _by_history(lengths: np.ndarray) -> list[tuple[str, np.ndarray]]:
    groups = []
    for low, after in zip(HISTORY_BOUNDS, (*HISTORY_BOUNDS[1:], None), strict=True):
        inside = lengths >= low
        if after is None:
            groups.append((f"history_{low}_or_more", inside))
        else:
            name = f"history_{low}" if after == low + 1 else f"history_{low}_to_{after - 1}"
            groups.append((name, inside & (lengths < after)))
    return groups
