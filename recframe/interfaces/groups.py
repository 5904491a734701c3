"""Groups of users whose sessions begin alike (`EnvironmentSpec.group_size`): who takes which session.

Every G neighbouring users are a group, which has a list of sessions, numbered from 0. The G sessions k G, ..., k G + G - 1 are a round:
they are of one person, begin alike and meet the same random numbers, so that only what is shown makes them differ. A user whose session is
over takes the next number. So the sessions of a round begin at nearly the same time, however long each lasts, and none is left out.
"""

from __future__ import annotations

import torch
from torch import Tensor


def groups_of(num_users: int, group_size: int, device: torch.device | str | None = None) -> Tensor:
    """The group of each user, `[N]` int64; the last one may be smaller."""
    return torch.arange(num_users, device=device) // group_size


def first_sessions(num_users: int, group_size: int, device: torch.device | str | None = None) -> Tensor:
    """The numbers `[N]` int64 of the users' first sessions."""
    return torch.arange(num_users, device=device) % group_size


def next_sessions(sessions: Tensor, finished: Tensor, group_size: int) -> Tensor:
    """The numbers `[N]` int64 of the users' sessions after a step, given those in it, `sessions` `[N]`, and whose are over, `[N]` bool.

    Of users of a group whose sessions are over in one step, those with smaller numbers `n` are served first.
    """
    group = groups_of(len(sessions), group_size, sessions.device)
    # the largest number in use is the last that was taken
    last = torch.zeros_like(sessions).scatter_reduce(0, group, sessions, "amax", include_self=False)[group]
    served = finished.long().cumsum(dim=0)
    first = group * group_size
    before_group = served[first] - finished[first].long()
    return torch.where(finished, last + served - before_group, sessions)
