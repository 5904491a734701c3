"""Which held-out rows of a log belong to sequences that are held out as a whole."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Log


def in_whole_sequences(log: Log, rows: Tensor) -> Tensor:
    """Whether all rows of the sequence of each of the different `rows` `[n]` are among them, `[n]` bool.

    By time, a sequence that goes on after the moment is held out in part: what is known of its return is only that of its rest.
    """
    lengths = log.offsets.diff()
    found = torch.bincount(log.sequence[rows], minlength=len(lengths))
    return (found == lengths)[log.sequence[rows]]
