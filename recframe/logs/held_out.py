"""Held-out queries: users at a moment of the log, and the items that they took afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import PAD, Log, Observation
from recframe.logs.windows import observations, windows


class Queries(NamedTuple):
    """N queries: what is known, and the relevant items of each, `targets` `[T]`, of the queries `query` `[T]` (0 to N - 1)."""

    observation: Observation
    targets: Tensor
    query: Tensor


@dataclass(frozen=True)
class HeldOut:
    """Q queries: the history of query q is the rows `starts[q]` to before `ends[q]` of `log`.

    log: the histories; it may contain rows that nothing may be fitted on, such as those of held-out users.
    starts, ends: `[Q]` int64.   users: `[Q]` int64, rows of `Data.users`.
    targets: `[T]` int64, the relevant items of all queries.   offsets: `[Q + 1]`: those of query q are `offsets[q]` to before
        `offsets[q + 1]`; each query has at least one, and none twice.
    """

    log: Log
    starts: Tensor
    ends: Tensor
    users: Tensor
    targets: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.ends)

    def to(self, device: torch.device | str) -> HeldOut:
        """The same queries with every tensor on `device`."""
        moved = {name: getattr(self, name).to(device) for name in ("log", "starts", "ends", "users", "targets", "offsets")}
        return HeldOut(**moved)

    @property
    def history_lengths(self) -> Tensor:
        """The number of interactions before each query, `[Q]`."""
        return self.ends - self.starts

    def batches(self, size: int, history_length: int, signals: Sequence[str] | None = None, exclude_seen: bool = True) -> Iterator[Queries]:
        """The queries in order, `size` at a time, with the last `history_length` items of each history (0: the longest of the batch).

        exclude_seen: the items of the whole history may not be recommended (`Observation.excluded`); a target among them cannot be found
            (see `new_targets`).
        """
        for first in range(0, len(self), size):
            chosen = slice(first, min(first + size, len(self)))
            yield self._queries(chosen, history_length, signals, exclude_seen)

    def _queries(self, chosen: slice, history_length: int, signals: Sequence[str] | None, exclude_seen: bool) -> Queries:
        starts, ends = self.starts[chosen], self.ends[chosen]
        longest = max(1, int((ends - starts).max()))
        observation = observations(self.log, starts, ends, history_length or longest, signals)
        observation.user = self.users[chosen]
        offsets = self.offsets[chosen.start : chosen.stop + 1]
        targets = self.targets[int(offsets[0]) : int(offsets[-1])]
        query = torch.repeat_interleave(torch.arange(len(ends), device=ends.device), offsets.diff())
        if exclude_seen:
            rows, known = windows(starts, ends, longest)
            observation.excluded = torch.where(known, self.log.items[rows], PAD)
        return Queries(observation, targets, query)
