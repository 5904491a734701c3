"""The real ratings that a report card asks about, and what may be known when it is asked: everything else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import Interactions

LEAST_KNOWN = 2
"""Ratings that a person must have besides those that are asked about, so that there is something to know of them."""


class CardRatings(NamedTuple):
    """Held-out ratings of P people, n of each, in random order.

    people: `[P]` int64, rows of `Data.users`.   items: `[P, n]` int64.   ratings: `[P, n]` float64.
    known: the other interactions, as a frame with the columns of `Interactions.frame`.
    """

    people: Tensor
    items: Tensor
    ratings: Tensor
    known: pl.DataFrame

    def item_means(self, feedback: str, num_items: int, strength: float = 5.0) -> Tensor:
        """The mean known rating of each item, `[num_items]` float64, as if each had `strength` more ratings at the mean of all."""
        rated = self.known.select("item", value=pl.col(feedback).cast(pl.Float64)).drop_nulls()
        items, values = (torch.tensor(rated[name].to_numpy()) for name in ("item", "value"))
        total = torch.zeros(num_items, dtype=torch.float64).index_add_(0, items, values)
        count = torch.bincount(items, minlength=num_items)
        return (total + strength * values.mean()) / (count + strength)


def card_ratings(
    interactions: Interactions, feedback: str, num_people: int, per_person: int, seed: int, among: Tensor | None = None
) -> CardRatings | None:
    """Hold out `per_person` ratings of each of at most `num_people` people, drawn at random; None if nobody has so many.

    Of several ratings of an item by one person the last counts. People need `LEAST_KNOWN` ratings more.

    Parameters
    ----------
    among: the people `[p]` int64 of whom they are drawn; None: everybody.
    """
    frame = interactions.frame.filter(pl.col(feedback).is_not_null() & pl.col(feedback).is_not_nan())
    rated = frame.sort("timestamp", maintain_order=True).unique(["user", "item"], keep="last", maintain_order=True)
    if among is not None:
        rated = rated.filter(pl.col("user").is_in(among.tolist()))
    counts = rated.group_by("user").len().filter(pl.col("len") >= per_person + LEAST_KNOWN).sort("user")
    if not counts.height or not per_person or not num_people:
        return None
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(counts["user"].to_numpy())[:num_people])
    # sorted first, so that the draw depends on the ratings alone and not on the order of the file
    theirs = rated.filter(pl.col("user").is_in(chosen.tolist())).sort("user", "item")
    shuffled = theirs[generator.permutation(theirs.height)].sort("user", maintain_order=True)
    held_out = shuffled.group_by("user", maintain_order=True).head(per_person)
    known = interactions.frame.join(held_out.select("user", "item"), on=["user", "item"], how="anti", maintain_order="left")
    items, ratings = (torch.tensor(held_out[name].to_numpy()).view(len(chosen), per_person) for name in ("item", feedback))
    return CardRatings(torch.from_numpy(chosen), items.long(), ratings.double(), known)
