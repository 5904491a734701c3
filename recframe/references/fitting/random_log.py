"""A log of random recommendations in the training environment, from which reference policies learn without knowing the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import play
from recframe.experience import RewardOutcome, RewardSum
from recframe.interfaces import Environment, Observation, Transition
from recframe.references.random import RepeatingRandomPolicy


class RandomLog(NamedTuple):
    """n random slates.

    observations: batch `[n]`, without candidates and exclusions.   slates: `[n, K]` int64.   item_rewards: `[n, K]` float32.
    signals: `[n, K, F]` float32, the response to each item, in the order of `EnvironmentSpec.signals`.
    advantages: `[n]` float32, by how much the rest of the session, from this slate on, returned more than the mean of those who were still
        in their session at this turn.
    users: `[n]` int64, the user of each row. All rows of one session have the same number.
    """

    observations: Observation
    slates: Tensor
    item_rewards: Tensor
    signals: Tensor
    advantages: Tensor
    users: Tensor


def collect_random_log(environment: Environment, rewards: RewardSum, seeds: Sequence[int], max_steps: int, max_slates: int) -> RandomLog:
    """Log random first sessions, one rollout per seed, until the seeds or `max_slates` are used up."""
    logs: list[RandomLog] = []
    left = max_slates
    for number, seed in enumerate(seeds):
        log = _log_rollout(environment, rewards, seed, max_steps, left)
        logs.append(log._replace(users=log.users + number * environment.spec.num_users))
        left -= len(log.users)
        if left <= 0:
            break
    parts = [log.observations for log in logs]
    observations: Observation = torch.cat(parts)  # type: ignore[arg-type, assignment]  # joined like tensors
    return RandomLog(
        observations=observations,
        slates=torch.cat([log.slates for log in logs]),
        item_rewards=torch.cat([log.item_rewards for log in logs]),
        signals=torch.cat([log.signals for log in logs]),
        advantages=torch.cat([log.advantages for log in logs]),
        users=torch.cat([log.users for log in logs]),
    )


def _log_rollout(environment: Environment, rewards: RewardSum, seed: int, max_steps: int, max_slates: int) -> RandomLog:
    """A random sample of at most `max_slates` slates of one rollout. A user's number is their row in it."""
    policy = RepeatingRandomPolicy(environment.spec, seed)
    observations: list[Observation] = []
    signals: list[Tensor] = []

    def rate(transition: Transition) -> RewardOutcome:
        response = transition.response.signals
        signals.append(torch.stack([response[name] for name in environment.spec.signals], dim=-1))
        return rewards(transition)

    def choose(observation: Observation, turn: int, _alive: Tensor) -> Tensor:
        observations.append(_without_restrictions(observation))
        return policy(observation, turn)

    episodes = play(choose, environment, rate, seed, max_steps)
    turns, users = episodes.alive.nonzero(as_tuple=True)
    to_go = episodes.rewards.flip(0).cumsum(dim=0).flip(0)
    # to_go is zero after the end of a session
    advantages = to_go - to_go.sum(dim=1, keepdim=True) / episodes.alive.sum(dim=1, keepdim=True)
    generator = torch.Generator(turns.device).manual_seed(seed)
    kept = torch.randperm(len(turns), generator=generator, device=turns.device)[:max_slates]
    turns, users = turns[kept], users[kept]
    seen: Observation = torch.stack(observations[: len(episodes.alive)])  # type: ignore[arg-type, assignment]  # stacked like tensors
    # as one index: for two, torch imports its symbolic shapes, which takes a second
    rows = turns * episodes.alive.shape[1] + users
    return RandomLog(
        observations=seen.reshape(-1)[rows],
        slates=episodes.slates[turns, users],
        item_rewards=episodes.item_rewards[turns, users],
        # rewards are asked for the users in their first session only, turn by turn: in the order of `nonzero`
        signals=torch.cat(signals)[kept],
        advantages=advantages[turns, users],
        users=users,
    )


def _without_restrictions(observation: Observation) -> Observation:
    """The observation without candidates and exclusions, which can be by far its largest parts and are not used in fitting."""
    return Observation(
        user=observation.user,
        history_items=observation.history_items,
        history_feedback=observation.history_feedback,
        context=observation.context,
        features=observation.features,
        batch_size=observation.batch_size,
    )
