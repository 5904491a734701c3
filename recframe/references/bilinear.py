"""The bilinear model of an item's immediate reward that the greedy reference policy and the linear bandits share.

    r(u, i) = x_u' Theta y_i + b [i in u's history]

with features x_u `[P]` of a user and y_i `[Q]` of an item (compare the bilinear bandits of Chu & Park, 2009). In other words,
r(u, i) = theta' phi(u, i) with phi = [x_u (x) y_i, 1 if i is in the history] of n = P Q + 1 numbers, shared by all items.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import PAD, Observation


def user_features(observation: Observation, feedback: Tensor, texts: Tensor, others: list[Tensor]) -> Tensor:
    """Features `[N, P]` of users.

    They are a constant; the filled share of the history; the mean of each feedback signal; the mean text of the history, plain and
    weighted by each signal; and the others.

    Parameters
    ----------
    feedback: `[N, H, F]`, of the items of the history.   texts: `[N, H, d]`, their text vectors, zeros for `PAD`.
    others: `[N, .]` each, such as the text of the profile.
    """
    shown = (observation.history_items != PAD).float()
    count = shown.sum(dim=1, keepdim=True).clamp(min=1.0)
    weights = torch.cat([shown[:, :, None], feedback], dim=2)
    means = torch.einsum("nhw,nhd->nwd", weights, texts) / count[:, :, None]
    parts = [torch.ones_like(count), shown.mean(dim=1, keepdim=True), feedback.sum(dim=1) / count, means.flatten(start_dim=1)]
    return torch.cat(parts + others, dim=1)


def bilinear_features(users: Tensor, items: Tensor, chosen: Tensor, history: Tensor) -> Tensor:
    """phi `[N, K, n]` of the items numbered `chosen` `[N, K]`.

    users: x `[N, P]`.   items: y `[M, Q]` of all items.   history: `[N, H]` item numbers.
    """
    pairs = torch.einsum("np,nkq->nkpq", users, items[chosen]).flatten(start_dim=2)
    again = (chosen[:, :, None] == history[:, None, :]).any(dim=2, keepdim=True)
    return torch.cat([pairs, again.to(users.dtype)], dim=2)


def add_to_history(scores: Tensor, history: Tensor, extra: Tensor) -> Tensor:
    """`scores` `[N, M + 1]` without the last column, which is that of `PAD`, and with `extra` added to each item of the history once.

    extra: one number for each item of the history, `[N, H]`, or one for all.
    """
    # PAD is -1, and -1 modulo M + 1 is the last column
    history = history % scores.shape[1]
    # an item that is in the history twice is set twice to the same value
    return scores.scatter(1, history, scores.gather(1, history) + extra)[:, :-1]
