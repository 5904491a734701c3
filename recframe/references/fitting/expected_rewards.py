"""The true expected responses and rewards of training people, as reference policies may know them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import required_truth
from recframe.experience import EnvironmentWithoutItems, RewardSum
from recframe.interfaces import Environment

MAX_ENTRIES = 2**26
"""Entries of a table of people and items: 256 MiB of float32. In a large catalogue fewer people are asked."""


class ExpectedResponses(NamedTuple):
    """What P training people would say to every item at the start of a session, on average over their sessions.

    people: `[P]` int64, ascending: the person's number.   signals: `[P, M]` for each signal's name.   rewards: `[P, M]`.
    """

    people: Tensor
    signals: dict[str, Tensor]
    rewards: Tensor


def expected_responses(environment: Environment, rewards: RewardSum, seeds: Sequence[int]) -> ExpectedResponses:
    """The true expected responses of the people of the sessions of all `seeds`.

    A person's number is their row in `Data.users`. Anonymous people have one session each, which has the number that
    `collect_random_log` gives it.

    Raises
    ------
    ValueError: the environment does not know the truth.
    """
    spec = environment.spec
    numbers: list[Tensor] = []
    tables: dict[str, list[Tensor]] = {name: [] for name in ("", *spec.signals)}
    left = max(1, MAX_ENTRIES // spec.num_items)
    for number, seed in enumerate(seeds):
        user = environment.reset(seed).user[:left]
        if not len(user):
            break
        left -= len(user)
        numbers.append(user if spec.has_users else number * spec.num_users + torch.arange(len(user), device=user.device))
        signals = {name: signal[: len(user)] for name, signal in required_truth(environment).signals.items()}
        tables[""].append(rewards.itemwise(signals))
        for name in spec.signals:
            tables[name].append(signals[name])
    people, row = torch.cat(numbers).unique(return_inverse=True)
    counts = torch.bincount(row)[:, None]
    means = {}
    for name, parts in tables.items():
        table = torch.cat(parts)
        means[name] = without_withheld(environment, table.new_zeros(len(people), spec.num_items).index_add_(0, row, table) / counts)
    return ExpectedResponses(people, {name: means[name] for name in spec.signals}, means[""])


def without_withheld(environment: Environment, expected: Tensor) -> Tensor:
    """`expected` `[N, M]` with each person's mean over the other items in place of the items withheld from training.

    The environment knows the response to cold items, too; a policy must not learn it from there.
    """
    if not isinstance(environment, EnvironmentWithoutItems):
        return expected
    known = expected[:, environment.allowed].mean(dim=1, keepdim=True)
    return expected.index_copy(1, environment.withheld, known.expand(-1, len(environment.withheld)))
