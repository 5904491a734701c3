"""Which interactions a recommender of logs counts, and how much: the matrix of a log, and the weights of a history.

An interaction counts if it is a click (so a threshold on ratings holds here, too). Its value is 1, or a signal of it that is above 0, such
as the rating. Of a person's interactions with the same item, the last one counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import PAD, DataError, Log, Observation

CLICK = "click"


def interaction_matrix(log: Log, weights: str = CLICK, by_user: bool = False) -> sp.csr_matrix:
    """X `[S, M]` float32, sparse: the value of what counts in each sequence; columns of a row in increasing order.

    weights: `click`, which is 1 for each, or the signal whose value it is.
    by_user: rows are users, `[P, M]`, whose sequences are put together.

    Raises
    ------
    DataError: the log has no such signal, or nothing in it counts.
    """
    if weights not in log.signals:
        raise DataError(f"agent.weights: the log has no signal {weights!r}; it has {', '.join(log.signals)}")
    feedback = log.feedback.cpu().numpy()
    values = feedback[:, log.signals.index(weights)]
    counted = np.flatnonzero((feedback[:, log.signals.index(CLICK)] > 0) & (values > 0))
    if not len(counted):
        what = "click" if weights == CLICK else f"click with a {weights} above 0"
        raise DataError(
            f"no interaction of the log is a {what}, so that nothing can be learned from it; see logs.click_column and logs.click_at_least"
        )
    number, size = (log.users, log.num_users) if by_user else (log.sequence, log.num_sequences)
    rows, items = number.cpu().numpy()[counted], log.items.cpu().numpy()[counted]
    pairs = rows * log.num_items + items
    # rows are in order of time: the first in reverse order is the last
    _, places = np.unique(pairs[::-1], return_index=True)
    kept = len(pairs) - 1 - places
    entries = (values[counted][kept].astype(np.float32), (rows[kept], items[kept]))
    matrix = sp.csr_matrix(entries, shape=(size, log.num_items), dtype=np.float32)
    matrix.sort_indices()
    return matrix


def history_weights(observation: Observation, signals: Sequence[str], weights: str = CLICK, decay: float = 1.0) -> Tensor:
    """The weight of each item of the history, `[N, H]` float32: `value * decay^age`, 0 for what does not count.

    The age of an item is its number of places from the end, among the different items that count: 0 for the last one. Without a signal
    `click`, every item counts; without the signal `weights`, its value is 1.

    signals: the names of `Observation.history_feedback`.
    """
    items, feedback = observation.history_items, observation.history_feedback
    places = {name: place for place, name in enumerate(signals)}
    counted = items != PAD
    if CLICK in places:
        counted = counted & (feedback[:, :, places[CLICK]] > 0)
    values = torch.ones_like(items, dtype=torch.float32)
    if weights != CLICK and weights in places:
        values = feedback[:, :, places[weights]]
        counted = counted & (values > 0)
    counted = last_of_each(items.masked_fill(~counted, PAD))
    if decay == 1.0:
        return values * counted
    age = counted.int().flip(1).cumsum(dim=1).flip(1) - 1
    return values * counted * decay**age


def last_of_each(items: Tensor) -> Tensor:
    """Which places `[N, H]` bool hold an item for the last time in their row; never those of `PAD`."""
    order = items.argsort(dim=1, stable=True)
    ordered = items.gather(1, order)
    last = torch.ones_like(items, dtype=torch.bool)
    last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    return torch.zeros_like(last).scatter(1, order, last) & (items != PAD)
