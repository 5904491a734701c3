"""Moods of people and the texts that they say; the equations are in `topic_world.py`."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import DataError, Texts

SENTIMENTS = ("negative", "neutral", "positive")
NEUTRAL = SENTIMENTS.index("neutral")
TIME = "time_of_day"


class Moods:
    """The distribution of moods over T topics at each of D times of day: `shares` `[D, T]`, rows sum to 1."""

    def __init__(self, num_times: int, num_topics: int, by_time: float, generator: torch.Generator, device: torch.device) -> None:
        normal = torch.randn(num_times, num_topics, generator=generator)
        self.shares = (by_time * normal).softmax(dim=1).to(device)
        self.limits = self.shares.cumsum(dim=1)

    def drawn(self, time: Tensor, uniform: Tensor) -> Tensor:
        """Draw moods `[N]` int64 at the times of day `time` `[N]`, decided by `uniform` `[N]`."""
        passed = (uniform[:, None] >= self.limits[time]).sum(dim=1)
        return passed.clamp(max=self.shares.shape[1] - 1)


def times_of(contexts: Texts | None) -> list[str]:
    """The times of day that the texts mention, in alphabetical order; a single unnamed time if they mention none."""
    if contexts is None or contexts.attributes is None or TIME not in contexts.attributes.columns:
        return [""]
    return contexts.attributes[TIME].drop_nulls().cast(pl.String).unique().sort().to_list() or [""]


class Utterances:
    """The rows of `Data.contexts` by intent (one of T topics), sentiment (one of `SENTIMENTS`) and time of day (one of D).

    needed: which option needs the texts, for messages.

    Raises
    ------
    DataError: the texts or their attributes are missing, or some intent, sentiment and time of day has no text; the message names it.
    """

    def __init__(self, contexts: Texts | None, topics: list[str], times: list[str], device: torch.device, needed: str) -> None:
        attributes = None if contexts is None else contexts.attributes
        columns = {"intent": topics, "sentiment": list(SENTIMENTS)} | ({TIME: times} if times != [""] else {})
        lacking = [name for name in columns if attributes is None or name not in attributes.columns]
        if attributes is None or lacking:
            raise DataError(f"{needed} needs Data.contexts with the attribute {lacking[0]!r}: the texts that people may say")
        cell = pl.lit(0, dtype=pl.Int64)
        for name, values in columns.items():
            place = pl.col(name).replace_strict(values, range(len(values)), default=None, return_dtype=pl.Int64)
            cell = cell * len(values) + place
        # texts with an intent that no item is about, or with an unknown sentiment, are not used
        rows = attributes.select(row=pl.int_range(pl.len()), cell=cell).drop_nulls().sort("cell", maintain_order=True)
        self.shape = [len(values) for values in columns.values()]
        cells = torch.tensor(rows["cell"].to_list(), dtype=torch.int64)
        counts = torch.bincount(cells, minlength=int(torch.tensor(self.shape).prod()))
        if (counts == 0).any():
            places = torch.unravel_index((counts == 0).nonzero()[0, 0], self.shape)
            missing = ", ".join(f"{name} {values[place]!r}" for (name, values), place in zip(columns.items(), places, strict=True))
            raise DataError(f"{needed} needs a text for every topic, sentiment and time of day; there is none for {missing}")
        self.rows = torch.tensor(rows["row"].to_list(), dtype=torch.int64, device=device)
        self.counts = counts.to(device)
        self.starts = (counts.cumsum(dim=0) - counts).to(device)

    def chosen(self, intent: Tensor, sentiment: Tensor, time: Tensor, uniform: Tensor) -> Tensor:
        """Draw the row `[N]` int64 of one matching text for each user, all equally likely, decided by `uniform` `[N]`."""
        cell = intent * self.shape[1] + sentiment
        if len(self.shape) == 3:
            cell = cell * self.shape[2] + time
        count = self.counts[cell]
        place = torch.minimum((uniform * count).long(), count - 1)
        return self.rows[self.starts[cell] + place]
