"""The top-k lists of a policy for held-out queries, checked: nothing twice, nothing that may not be recommended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.interfaces import PAD, Agent, Observation, Ranker, is_excluded
from recframe.logs import HeldOut, Queries

# scores of all items that a policy may hold for one batch of queries (128 MiB of float32), and the most queries in a batch
SCORES_AT_ONCE = 2**25
LARGEST_BATCH = 1_024


class RankingError(UserError, ValueError):
    """A policy whose top-k lists are not valid; the message is for its author."""


class TopLists(NamedTuple):
    """A batch of queries, the checked list of each, `items` `[N, k]`, and the `ranks` `[T]` of their targets.

    ranks: the place of each target in its query's list, from 1; 0: it is not in it.
    """

    queries: Queries
    items: Tensor
    ranks: Tensor


def top_lists(
    name: str,
    ranker: Ranker,
    held_out: HeldOut,
    num_items: int,
    k: int,
    *,
    history_length: int,
    signals: Sequence[str] | None,
    exclude_seen: bool,
) -> Iterator[TopLists]:
    """The lists of a policy for all queries in order, batch by batch, so that memory grows with the batch and not with the queries.

    Parameters
    ----------
    name: the policy's, for messages.   num_items: M.
    history_length: H, the items of a history that are given to a policy that does not read all of it.

    Raises
    ------
    RankingError: a list of the policy is not valid.
    """
    policy: Ranker = AgentPolicy(ranker) if isinstance(ranker, Agent) else ranker
    length = 0 if policy.reads_whole_history else history_length
    size = max(1, min(LARGEST_BATCH, SCORES_AT_ONCE // num_items))
    asked = min(k, num_items)
    with torch.no_grad(), policy if isinstance(policy, AbstractContextManager) else nullcontext():
        for queries in held_out.batches(size, length, signals, exclude_seen):
            items = policy.rank(queries.observation, asked)
            _check(name, items, queries.observation, num_items, asked)
            items = torch.nn.functional.pad(items, (0, k - asked), value=PAD)
            matches = items[queries.query] == queries.targets[:, None]
            ranks = torch.where(matches.any(dim=1), matches.int().argmax(dim=1) + 1, 0)
            yield TopLists(queries, items, ranks)


def _check(name: str, items: Tensor, observation: Observation, num_items: int, k: int) -> None:
    """Refuse lists that would make the metrics wrong.

    Raises
    ------
    RankingError: for another shape or type, numbers of no item, gaps, items twice, or items that the observation does not allow.
    """
    size = len(observation.user)
    if tuple(items.shape) != (size, k) or items.dtype != torch.int64:
        found = f"{list(items.shape)} {str(items.dtype).removeprefix('torch.')}"
        raise RankingError(f"policy {name!r}: rank(observation, k={k}) of {size} users must return [{size}, {k}] int64, not {found}")
    exists = items != PAD
    ordered = items.sort(dim=1).values
    problems = {
        f"a number that is no item (items are 0 to {num_items - 1}, and {PAD} where there are none)": (items < PAD) | (items >= num_items),
        f"{PAD} before an item; {PAD} may only stand at the end, where no item is left": exists[:, 1:] & ~exists[:, :-1],
        "an item twice; rank must return different items": (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != PAD),
        "an item of observation.excluded; rank must leave these out": exists & is_excluded(observation, items),
    }
    if observation.candidates is not None:
        other = ~(items[:, :, None] == observation.candidates[:, None, :]).any(dim=2)
        problems["an item that is none of observation.candidates; rank must keep to these"] = exists & other
    # one transfer from the device for all checks
    wrong = torch.stack([flags.any() for flags in problems.values()]).tolist()
    for (problem, flags), is_wrong in zip(problems.items(), wrong, strict=True):
        if is_wrong:
            row = int(flags.any(dim=1).nonzero()[0])
            raise RankingError(f"policy {name!r}: its list for user {int(observation.user[row])} has {problem}; it is {_shown(items[row])}")


def _shown(items: Tensor) -> str:
    first = ", ".join(str(item) for item in items[:20].tolist())
    return f"[{first}{', ...' if len(items) > 20 else ''}]"
