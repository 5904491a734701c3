"""Candidates for the best fixed slate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import play, required_truth
from recframe.experience import RewardSum
from recframe.interfaces import Environment, Observation, allowed_items
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.references.ranking import ranked


def fixed_slates(
    environment: Environment, rewards: RewardSum, rankings: Sequence[Tensor], max_steps: int, seed: int
) -> list[FixedSlatePolicy]:
    """The fixed slates worth trying.

    For each ranking (scores `[M]`): its top L items in order, for L = K, 2K, 4K, 8K ... up to `max_steps * K`. Longer lists give items
    a rest where repetition bores users. If the environment knows the truth and every user may be shown every item, also
    `greedy_schedule`.
    """
    spec = environment.spec
    longest = min(max_steps * spec.slate_size, spec.num_items)
    lengths = [spec.slate_size]
    while lengths[-1] < longest:
        lengths.append(min(2 * lengths[-1], longest))
    policies = []
    for scores in rankings:
        best_first = ranked(scores)
        policies += [FixedSlatePolicy(spec, best_first[:length], scores) for length in lengths]
    if environment.truth() is not None and spec.num_candidates == 0:
        schedule = greedy_schedule(environment, rewards, max_steps, seed).flatten()
        policies.append(FixedSlatePolicy(spec, schedule, torch.zeros(spec.num_items, device=spec.device)))
    return policies


def greedy_schedule(environment: Environment, rewards: RewardSum, max_steps: int, seed: int) -> Tensor:
    """Slates `[T, K]`: at each turn the items of highest true expected reward, averaged over the users still in their session.

    The earlier turns of the schedule have changed these users, so the schedule takes into account which items bore them by then.
    """
    schedule: list[Tensor] = []

    def choose(observation: Observation, _turn: int, alive: Tensor) -> Tensor:
        expected = rewards.itemwise(required_truth(environment).signals)
        total = alive.to(expected) @ expected
        if observation.excluded is not None:
            # all users still in their session have the same items excluded: those shown before, or held back
            total = total.masked_fill(allowed_items(observation, expected)[alive].isneginf().all(dim=0), -torch.inf)
        slate = total.topk(environment.spec.slate_size).indices
        schedule.append(slate)
        return slate.repeat(len(alive), 1)

    episodes = play(choose, environment, rewards, seed, max_steps)
    return torch.stack(schedule[: len(episodes.alive)])
