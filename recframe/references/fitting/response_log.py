"""The responses in a log of random recommendations, one for each item."""

from __future__ import annotations

from math import ceil

import numpy as np

from recframe.experience import RewardSum, never_asked
from recframe.interfaces import Environment, EnvironmentSpec, ResponseLog
from recframe.references.fitting.random_log import RandomLog, collect_random_log


def random_responses(environment: Environment, rewards: RewardSum, steps: int, max_steps: int, seed: int) -> ResponseLog:
    """The responses of users to random items in `steps` user-steps, of sessions of at most `max_steps` steps. They are asked nothing."""
    environment = never_asked(environment)
    # a session has at least one step
    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(ceil(steps / environment.spec.num_users))]
    return response_log(collect_random_log(environment, rewards, seeds, max_steps, steps), environment.spec)


def response_log(log: RandomLog, spec: EnvironmentSpec) -> ResponseLog:
    """The log's responses, one for each item of each slate."""
    sessions = log.users[:, None].expand_as(log.slates).flatten()
    people = log.observations.user[:, None].expand_as(log.slates).flatten() if spec.has_users else sessions
    repeated = (log.slates[:, :, None] == log.observations.history_items[:, None, :]).any(dim=2).flatten()
    return ResponseLog(people, sessions, log.slates.flatten(), log.signals.flatten(end_dim=1), log.item_rewards.flatten(), repeated)
