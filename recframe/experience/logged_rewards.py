"""The run's reward of every interaction of a log, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from recframe.experience.rewards import RewardSum
from recframe.interfaces import Log
from recframe.logs import LoggedTransitions

MAX_PLACES = 1 << 17
"""Places of histories in a chunk: with vectors of 384 numbers, those of all items of its histories take 200 MB."""


@torch.no_grad()
def with_rewards(log: Log, rewards: RewardSum, history_length: int, signals: Sequence[str] | None = None) -> Log:
    """The log with `Log.rewards`: each interaction is rated as a slate of one item, after the history before it.

    The rows are rated in chunks of bounded size, in order. A term that compares the users of a batch, such as `fairness`, compares those
    of a chunk.

    Parameters
    ----------
    history_length: H, the length of the histories that the terms read.
    signals: the names of the signals, in the order of `Observation.history_feedback`; None: the log's.
    """
    # itemwise terms read no history, which is most of what a transition holds
    length = 1 if rewards.itemwise_terms >= rewards.terms.keys() else history_length
    transitions = LoggedTransitions(replace(log, rewards=None), length, signals)
    device = log.items.device
    total = torch.empty(len(log), device=device)
    size = max(1, MAX_PLACES // length)
    for first in range(0, len(log), size):
        rows = torch.arange(first, min(first + size, len(log)), device=device)
        total[rows] = rewards(transitions.at(rows)).item_reward.sum(dim=1)
    return replace(log, rewards=total)
