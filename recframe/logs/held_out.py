"""Held-out queries: users at a moment of the log, and the items that they took afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Log, LoggedChoices, Observation
from recframe.logs.allowed import restrict
from recframe.logs.windows import observations

MAX_PLACES = 1 << 21
"""Places of whole histories in a batch: about 100 MB with two signals."""


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
    choices: what could have been shown in the rows of `log`: query q is then the decision of the row `ends[q]`, and only what could be
        shown there may be recommended. Either all queries have candidates, or none has. None: every item may be recommended.
    """

    log: Log
    starts: Tensor
    ends: Tensor
    users: Tensor
    targets: Tensor
    offsets: Tensor
    choices: LoggedChoices | None = None

    def __len__(self) -> int:
        return len(self.ends)

    def to(self, device: torch.device | str) -> HeldOut:
        """The same queries with every tensor on `device`."""
        moved = {name: getattr(self, name).to(device) for name in ("log", "starts", "ends", "users", "targets", "offsets")}
        return HeldOut(**moved, choices=None if self.choices is None else self.choices.to(device))

    def only(self, query: int) -> HeldOut:
        """The query with this number, alone."""
        first, after = int(self.offsets[query]), int(self.offsets[query + 1])
        one = slice(query, query + 1)
        return replace(
            self,
            starts=self.starts[one],
            ends=self.ends[one],
            users=self.users[one],
            targets=self.targets[first:after],
            offsets=self.offsets.new_tensor([0, after - first]),
        )

    @property
    def history_lengths(self) -> Tensor:
        """The number of interactions before each query, `[Q]`."""
        return self.ends - self.starts

    def batches(self, size: int, history_length: int, signals: Sequence[str] | None = None, exclude_seen: bool = True) -> Iterator[Queries]:
        """The queries in order, `size` at a time, with the last `history_length` items of each history (0: the longest of the batch).

        Where whole histories are needed and long, or there are lists of candidates, a batch has fewer queries: together they have no more
        than `MAX_PLACES` places.

        exclude_seen: the items of the whole history may not be recommended (`Observation.excluded`); a target among them cannot be found
            (see `new_targets`). A decision with exclusions of its own (`choices`) has these in place of them.
        """
        whole = exclude_seen or history_length == 0
        first = 0
        while first < len(self):
            chosen = slice(first, first + self._fitting(slice(first, min(first + size, len(self))), whole))
            yield self._queries(chosen, history_length, signals, exclude_seen)
            first = chosen.stop

    def _fitting(self, some: slice, whole: bool) -> int:
        """How many of some queries, from the first, fit in `MAX_PLACES` when each is as long as the longest; at least one.

        whole: whether whole histories are needed.
        """
        lengths = self.history_lengths[some] if whole else torch.zeros_like(self.ends[some])
        if self.choices is not None:
            here = self.choices.rows(self.ends[some])
            lengths = torch.maximum(lengths, torch.maximum(here.lengths(here.candidates), here.lengths(here.excluded)))
        places = lengths.cummax(dim=0).values * torch.arange(1, len(lengths) + 1, device=lengths.device)
        return max(1, int((places <= MAX_PLACES).sum()))

    def _queries(self, chosen: slice, history_length: int, signals: Sequence[str] | None, exclude_seen: bool) -> Queries:
        starts, ends = self.starts[chosen], self.ends[chosen]
        longest = max(1, int((ends - starts).max()))
        observation = observations(self.log, starts, ends, history_length or longest, signals)
        observation.user = self.users[chosen]
        offsets = self.offsets[chosen.start : chosen.stop + 1]
        targets = self.targets[int(offsets[0]) : int(offsets[-1])]
        query = torch.repeat_interleave(torch.arange(len(ends), device=ends.device), offsets.diff())
        restrict(observation, self.log, starts, ends, self.choices, exclude_seen)
        return Queries(observation, targets, query)

    def repeated_targets(self) -> Tensor:
        """Whether the item of each target is in the history of its query, `[T]` bool."""
        log, device = self.log, self.targets.device
        # pairs of item and row in order, so that the first row of an item from a row on is found by a search
        rows = torch.arange(len(log), device=device)
        pairs = (log.items * len(log) + rows).sort().values
        query = torch.repeat_interleave(torch.arange(len(self), device=device), self.offsets.diff())
        wanted = self.targets * len(log)
        # a row beyond the last one, so that a search finds one in any case
        pairs = torch.cat([pairs, pairs.new_full((1,), torch.iinfo(torch.int64).max)])
        found = pairs[torch.searchsorted(pairs, wanted + self.starts[query])]
        return found < wanted + self.ends[query]

    def new_targets(self) -> NewTargets:
        """The queries with only the targets that are not in the history: the rest can't be found where seen items are excluded.

        Queries of which no target is left are dropped.
        """
        new = ~self.repeated_targets()
        query = torch.repeat_interleave(torch.arange(len(self), device=new.device), self.offsets.diff())
        counts = torch.bincount(query[new], minlength=len(self))
        kept = counts > 0
        zero = counts.new_zeros(1)
        held_out = replace(
            self,
            starts=self.starts[kept],
            ends=self.ends[kept],
            users=self.users[kept],
            targets=self.targets[new],
            offsets=torch.cat([zero, counts[kept].cumsum(0)]),
        )
        return NewTargets(held_out, int((~new).sum()), int((~kept).sum()))


class NewTargets(NamedTuple):
    """Queries without the targets that were met before, and the numbers of targets and of whole queries that were dropped."""

    held_out: HeldOut
    dropped_targets: int
    dropped_queries: int
