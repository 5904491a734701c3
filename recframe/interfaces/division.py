"""A training whose users are divided over several processes: which part this process has, and what it must draw and agree on.

With `trainer.devices=R`, each of R processes simulates and learns from N / R of the N users, and gradients are averaged. For the same
numbers as in one process, each draws the random numbers of all N users and uses its own (`own_draws`), and means over all users are
taken over all processes (`mean_of_all`). Outside `dividing_users`, as in evaluations and in runs on one device, there is one process, and
these functions do nothing special.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor


class UserDivision(NamedTuple):
    """Which part of the users this process has: the `rank`-th of `ranks` equal ones, from 0."""

    rank: int = 0
    ranks: int = 1


WHOLE = UserDivision()
_current: ContextVar[UserDivision] = ContextVar("division", default=WHOLE)  # a tuple, which nothing can change


def division() -> UserDivision:
    """The division of the users at this moment."""
    return _current.get()


@contextmanager
def dividing_users(part: UserDivision) -> Iterator[None]:
    """Within the block, this process has this part of the users."""
    token = _current.set(part)
    try:
        yield
    finally:
        _current.reset(token)


def own_draws(draw: Callable[[int], Tensor], users: int, dim: int = 0) -> Tensor:
    """Random numbers for this process's `users` users: their part of `draw(number of all users)`, which are in dimension `dim`.

    All processes must have drawn the same numbers from the same generator so far.
    """
    part = division()
    return draw(users) if part.ranks == 1 else draw(users * part.ranks).narrow(dim, part.rank * users, users)


def mean_of_all(values: Tensor) -> Tensor:
    """The mean of `values` over all processes, each of which has as many; without a gradient. All processes must call it."""
    mean = values.detach().mean()
    return sum_of_all(mean) / division().ranks


def sum_of_all(values: Tensor) -> Tensor:
    """The sum of the tensors of all processes, without a gradient. All processes must call it."""
    if division().ranks == 1:
        return values.detach()
    total = values.detach().clone()
    torch.distributed.all_reduce(total)
    return total


def own_minibatches(steps: int, users: int, count: int, generator: torch.Generator) -> Iterator[tuple[Tensor, float]]:
    """Random minibatches of a chunk of `steps` steps of this process's `users` users, flattened to `[steps * users]`: rows, and a weight.

    The steps of all users are shuffled and split into `count` minibatches, of which a process learns from its own rows. The mean over all
    processes of their losses' means times the weights is the loss of the whole minibatch.
    """
    part, device = division(), generator.device
    order = torch.randperm(steps * users * part.ranks, generator=generator, device=device)
    if part.ranks == 1:
        yield from ((rows, 1.0) for rows in order.tensor_split(min(count, len(order))))
        return
    user = order % (users * part.ranks) - part.rank * users
    mine = (user >= 0) & (user < users)
    local = order // (users * part.ranks) * users + user
    for of_all, own in zip(*(parts.tensor_split(min(count, len(order))) for parts in (local, mine)), strict=True):
        rows = of_all[own]
        # a process without a row takes part with one that does not count
        yield (rows, len(rows) * part.ranks / len(of_all)) if len(rows) else (local[mine][:1], 0.0)
