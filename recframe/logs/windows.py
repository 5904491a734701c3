"""Histories as windows of a log: what was known of a user at a row, made where it is needed and stored nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import PAD, Log, Observation


class Windows(NamedTuple):
    """The last `length` rows of parts of a log: `rows` `[N, L]` int64, oldest first, and whether each is in the part, `known` `[N, L]`."""

    rows: Tensor
    known: Tensor


def windows(starts: Tensor, ends: Tensor, length: int) -> Windows:
    """The last `length` of the rows `starts` `[N]` to before `ends` `[N]`. Rows that do not exist are in front, numbered 0."""
    rows = ends[:, None] + torch.arange(-length, 0, device=ends.device)
    known = rows >= starts[:, None]
    return Windows(torch.where(known, rows, 0), known)


def observations(log: Log, starts: Tensor, ends: Tensor, length: int, signals: Sequence[str] | None = None) -> Observation:
    """What was known of N users after the rows `starts` `[N]` to before `ends` `[N]` of the log, `[N]` with a history of `length`.

    signals: those of `history_feedback`, in order; None: the log's. A signal that the log lacks is 0.
    The features are those of the row `ends`, which is the interaction to come, if it exists.
    """
    rows, known = windows(starts, ends, length)
    return Observation(
        user=log.users[starts],
        history_items=torch.where(known, log.items[rows], PAD),
        history_feedback=signals_of(log, rows, signals) * known[:, :, None],
        features=None if log.features is None else log.features[ends.clamp(max=len(log) - 1)],
        batch_size=[len(ends)],
    )


def signals_of(log: Log, rows: Tensor, signals: Sequence[str] | None) -> Tensor:
    """The feedback `[N, L, F]` float32 of the rows `[N, L]`, with these signals in this order; None: the log's.

    A signal that the log lacks is 0.
    """
    feedback = log.feedback[rows]
    if signals is None or tuple(signals) == log.signals:
        return feedback
    zeros = torch.zeros_like(feedback[:, :, 0])
    found = {name: place for place, name in enumerate(log.signals)}
    return torch.stack([feedback[:, :, found[name]] if name in found else zeros for name in signals], dim=-1)
