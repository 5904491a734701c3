"""Sample rankings of a policy as texts, beside what the users took."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from recframe.interfaces import PAD, Data, Ranker
from recframe.logs import HeldOut


class SampleRanking(NamedTuple):
    """One held-out query as text.

    user: the user's id in the data.   history: titles taken before, oldest first.   recommended: titles, best first.
    taken: titles of what the user took then.
    """

    user: str
    history: list[str]
    recommended: list[str]
    taken: list[str]


def sample_rankings(
    ranker: Ranker,
    held_out: HeldOut,
    data: Data,
    *,
    num_users: int,
    k: int,
    history_length: int,
    signals: Sequence[str] | None = None,
    exclude_seen: bool = True,
) -> list[SampleRanking]:
    """The k items that a policy ranks first for `num_users` queries, which are spread evenly over all."""
    chosen = torch.linspace(0, len(held_out) - 1, min(num_users, len(held_out))).round().long().unique()
    titles, ids = data.catalog.titles, None if data.users is None else data.users.ids
    length = 0 if ranker.reads_whole_history else history_length
    samples = []
    with torch.no_grad(), ranker if isinstance(ranker, AbstractContextManager) else nullcontext():
        for query in chosen.tolist():
            (found,) = held_out.only(query).batches(1, length, signals, exclude_seen)
            items = ranker.rank(found.observation, min(k, len(data.catalog)))[0].tolist()
            user = int(found.observation.user[0])
            samples.append(
                SampleRanking(
                    user=str(user) if ids is None else ids[user],
                    history=[titles[item] for item in found.observation.history_items[0].tolist() if item != PAD],
                    recommended=[titles[item] for item in items if item != PAD],
                    taken=[titles[item] for item in found.targets.tolist()],
                )
            )
    return samples
