"""A log of random recommendations in the training environment: what reference policies learn from without being told the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import play
from recframe.experience import RewardSum
from recframe.interfaces import PAD, Environment, Observation, is_excluded
from recframe.references.policies import RandomPolicy

# pseudo-observations at the overall mean that an item's mean reward is shrunk by
SHRINKAGE = 5.0

# how often a slate repeats an item of the history
REPEATS = 0.25


class RepeatingRandomPolicy(RandomPolicy):
    """Random items, and in one slate of four an item that the user was shown lately.

    In a large catalogue pure chance repeats nothing: a log of it cannot teach what repetition does.
    """

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """Random slates `[N, K]` of what may be shown."""
        slate, history = super().__call__(observation, turn), observation.history_items
        draws = torch.rand(3, len(slate), generator=self.generator, device=slate.device)
        item = history.gather(1, (draws[0, :, None] * history.shape[1]).long())
        slot = (draws[1, :, None] * slate.shape[1]).long()
        possible = (item != PAD) & ~(slate == item).any(dim=1, keepdim=True)
        if observation.candidates is not None:
            possible &= (observation.candidates == item).any(dim=1, keepdim=True)
        possible &= ~is_excluded(observation, item)
        repeat = possible & (draws[2, :, None] < REPEATS)
        return slate.scatter(1, slot, torch.where(repeat, item, slate.gather(1, slot)))


class RandomLog(NamedTuple):
    """n slates shown at random.

    observations: batch `[n]`, without what may be shown.   slates: `[n, K]` int64.   item_rewards: `[n, K]` float32.
    users: `[n]` int64, who was shown it: rows of one session share the number.
    """

    observations: Observation
    slates: Tensor
    item_rewards: Tensor
    users: Tensor


def collect_random_log(
    environment: Environment, score_rewards: RewardSum, seeds: Sequence[int], max_steps: int, max_slates: int
) -> RandomLog:
    """Log random first sessions, one rollout a seed, until the seeds or `max_slates` are used up."""
    logs: list[RandomLog] = []
    left = max_slates
    for number, seed in enumerate(seeds):
        log = _log_rollout(environment, score_rewards, seed, max_steps, left)
        logs.append(log._replace(users=log.users + number * environment.spec.num_users))
        left -= len(log.users)
        if left <= 0:
            break
    return RandomLog(*(torch.cat(parts) for parts in zip(*logs, strict=True)))


def _log_rollout(environment: Environment, score_rewards: RewardSum, seed: int, max_steps: int, max_slates: int) -> RandomLog:
    """A random sample of at most `max_slates` of what one rollout shows; a user's number is their place in it."""
    policy = RepeatingRandomPolicy(environment.spec, seed)
    observations: list[Observation] = []

    def choose(observation: Observation, turn: int, _alive: Tensor) -> Tensor:
        observations.append(_without_restrictions(observation))
        return policy(observation, turn)

    episodes = play(choose, environment, score_rewards, seed, max_steps)
    turns, users = episodes.alive.nonzero(as_tuple=True)
    generator = torch.Generator(turns.device).manual_seed(seed)
    kept = torch.randperm(len(turns), generator=generator, device=turns.device)[:max_slates]
    turns, users = turns[kept], users[kept]
    return RandomLog(
        observations=torch.stack(observations[: len(episodes.alive)])[turns, users],
        slates=episodes.slates[turns, users],
        item_rewards=episodes.item_rewards[turns, users],
        users=users,
    )


def _without_restrictions(observation: Observation) -> Observation:
    """The observation less the parts that can be by far the largest, and that nothing is learned from."""
    return Observation(
        user=observation.user,
        history_items=observation.history_items,
        history_feedback=observation.history_feedback,
        context=observation.context,
        features=observation.features,
        batch_size=observation.batch_size,
    )


def mean_item_rewards(slates: Tensor, item_rewards: Tensor, num_items: int) -> Tensor:
    """Mean reward of each item where it was shown, shrunk to the overall mean, float64 `[M]`.

    `(sum_i + 5 m) / (n_i + 5)` with the overall mean m: an item shown once is not the best because it was lucky.
    """
    items, rewards = slates.flatten(), item_rewards.flatten().double()
    sums = torch.zeros(num_items, dtype=torch.float64, device=items.device).index_add_(0, items, rewards)
    counts = torch.bincount(items, minlength=num_items)
    return (sums + SHRINKAGE * rewards.mean()) / (counts + SHRINKAGE)
