"""Many queries as one batch of observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation, Role
from recframe.serving.query import Query


def batch_of(queries: Sequence[Query], rows: Sequence[Mapping[Role, int]], num_signals: int, history_length: int | None) -> Observation:
    """The observations of N people, batch size `[N]`. Either all or none of them have candidates.

    rows: by role, the row of each person's user, and of the text that came with the visit, where there are any.
    num_signals: F.   history_length: H, the last items that are read; None: whole histories are.
    """
    longest = max(len(query.history) for query in queries) if history_length is None else history_length
    items = torch.full((len(queries), max(longest, 1)), PAD, dtype=torch.int64)
    feedback = torch.zeros(*items.shape, num_signals)
    for row, query in enumerate(queries):
        kept = min(len(query.history), items.shape[1])
        if kept:
            items[row, -kept:] = torch.tensor(query.history[-kept:])
            feedback[row, -kept:] = torch.tensor(query.feedback[-kept:])
    # at least k of them, filled up: searches take the k best of what they are given
    candidates = [[*query.candidates, *[PAD] * (query.k - len(query.candidates))] for query in queries if query.candidates is not None]
    return Observation(
        user=torch.tensor([row.get("user", 0) for row in rows]),
        history_items=items,
        history_feedback=feedback,
        candidates=_padded(candidates) if candidates else None,
        excluded=_padded([query.excluded for query in queries]) if any(query.excluded for query in queries) else None,
        context=torch.tensor([row["context"] for row in rows]) if "context" in rows[0] else None,
        batch_size=[len(queries)],
    )


def _padded(rows: Sequence[list[int]]) -> Tensor:
    """The rows `[N, C]` int64, filled up with `PAD`."""
    length = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (length - len(row))] for row in rows], dtype=torch.int64)
