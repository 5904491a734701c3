"""The run's reward of every interaction of a log, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from recframe.attribution import failure_in
from recframe.experience.counterfactual import MAX_PLACES, CounterfactualRewards
from recframe.experience.rewards import RewardSum
from recframe.interfaces import Log
from recframe.logs import LoggedTransitions


@torch.no_grad()
def with_rewards(log: Log, rewards: RewardSum, history_length: int, signals: Sequence[str] | None = None) -> Log:
    """The log with `Log.rewards` and `Log.item_rewards`: each interaction is rated as a slate of one item, after the history before it.

    The rows are rated in chunks of bounded size, in order. A term that compares the users of a batch, such as `fairness`, compares those
    of a chunk.

    Parameters
    ----------
    history_length: H, the length of the histories that the terms read.
    signals: the names of the signals, in the order of `Observation.history_feedback`; None: the log's.

    Raises
    ------
    ComponentFailure: a term of the reward is not finite where all signals are.
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
    _require_numbers(total, transitions, rewards)
    return replace(log, rewards=total, item_rewards=CounterfactualRewards.of(rewards))


def _require_numbers(total: Tensor, transitions: LoggedTransitions, rewards: RewardSum) -> None:
    """Check that every interaction whose signals are known has a reward that is finite, else name the first term whose value is not."""
    rows = (~total.isfinite()).nonzero().squeeze(1)[:1]
    if not len(rows):
        return
    transition = transitions.at(rows)
    if all(bool(signal.isfinite().all()) for signal in transition.response.signals.values()):
        terms = rewards(transition).terms
        name = next((name for name, value in terms.items() if not bool(value.isfinite().all())), None)
        if name is not None:
            raise failure_in((rewards.terms[name][0], f"its value for row {int(rows)} of the log is not finite, although its signals are"))
