"""Small logs with held-out queries, and policies that rank items by fixed scores."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from recframe.interfaces import PAD, Catalog, Observation
from recframe.interfaces.logs import Log
from recframe.logs import HeldOut


def make_catalog(num_items: int, dim: int = 3, seed: int = 0) -> Catalog:
    names = [str(item) for item in range(num_items)]
    vectors = torch.randn(num_items, dim, generator=torch.Generator().manual_seed(seed)) if dim else None
    return Catalog(names, names, pl.DataFrame({"title": names}), torch.arange(num_items).float(), vectors)


def make_held_out(histories: list[list[int]], targets: list[list[int]], users: list[int] | None = None, num_items: int = 0) -> HeldOut:
    """Query q has the history `histories[q]`, of at least one item, the relevant items `targets[q]` and the user `users[q]`."""
    lengths = torch.tensor([len(history) for history in histories])
    ends = lengths.cumsum(0)
    items = torch.tensor([item for history in histories for item in history], dtype=torch.int64)
    of_query = torch.tensor(users if users is not None else list(range(len(histories))))
    log = Log(
        users=of_query.repeat_interleave(lengths),
        items=items,
        timestamps=torch.arange(len(items)),
        signals=("click",),
        feedback=torch.ones(len(items), 1),
        offsets=torch.cat([torch.zeros(1, dtype=torch.int64), ends]),
        num_items=num_items or 1 + max(int(items.max()), *(item for each in targets for item in each)),
        num_users=int(of_query.max()) + 1,
    )
    sizes = torch.tensor([0, *(len(each) for each in targets)])
    flat = torch.tensor([item for each in targets for item in each], dtype=torch.int64)
    return HeldOut(log, ends - lengths, ends, of_query, flat, sizes.cumsum(0))


class Fixed:
    """Returns given lists `[Q, k]` in the order of the queries, whatever it is asked."""

    reads_whole_history = False

    def __init__(self, lists: Tensor) -> None:
        self.lists, self.place = lists, 0

    def rank(self, observation: Observation, k: int) -> Tensor:
        first, self.place = self.place, self.place + len(observation.user)
        return self.lists[first : self.place]


class Scored:
    """Ranks items by the scores `[M]`, or by those of each user `[P, M]`, without the excluded ones."""

    reads_whole_history = False

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def rank(self, observation: Observation, k: int) -> Tensor:
        num_items = self.scores.shape[-1]
        scores = self.scores[observation.user] if self.scores.dim() == 2 else self.scores.expand(len(observation.user), -1)
        scores = torch.nn.functional.pad(scores, (0, 1))
        if observation.excluded is not None:
            scores = scores.scatter(1, torch.where(observation.excluded == PAD, num_items, observation.excluded), -torch.inf)
        values, items = scores[:, :num_items].sort(dim=1, descending=True, stable=True)
        return torch.where(values[:, :k] == -torch.inf, PAD, items[:, :k])
