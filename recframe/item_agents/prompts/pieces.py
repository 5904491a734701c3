"""Pieces of prompts as padded tokens, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Tokens(NamedTuple):
    """Token numbers `[..., T]` int64, and which of them are there, `[..., T]` bool."""

    ids: Tensor
    there: Tensor


def joined_pieces(parts: Sequence[Tokens]) -> Tokens:
    """Pieces one after the other, along the last dimension."""
    return Tokens(torch.cat([part.ids for part in parts], dim=-1), torch.cat([part.there for part in parts], dim=-1))


def newest_that_fit(entries: Tokens, room: Tensor) -> Tokens:
    """Entries `[N, H, T]` without the oldest ones, as many as are needed for the tokens of the others to fit into `room` `[N]`."""
    sizes = entries.there.sum(dim=2)
    up_to_end = sizes.flip(1).cumsum(dim=1).flip(1)
    return Tokens(entries.ids, entries.there & (up_to_end <= room.unsqueeze(1)).unsqueeze(2))


def pushed_right(tokens: Tokens) -> Tokens:
    """The tokens `[N, T]` that are there at the end of each row, in order, and no more padding in front than the longest row needs."""
    order = tokens.there.int().argsort(dim=1, stable=True)
    longest = int(tokens.there.sum(dim=1).max())
    order = order[:, order.shape[1] - longest :]
    return Tokens(tokens.ids.gather(1, order), tokens.there.gather(1, order))
