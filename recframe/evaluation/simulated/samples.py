"""Sample recommendations of a policy as texts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.evaluation.simulated.rollout import AnyPolicy, decide, play
from recframe.experience import RewardSum
from recframe.interfaces import PAD, Data, Environment, Observation, shown_places


class Recommendation(NamedTuple):
    """One turn of one user as text.

    user: the user's id in the data, or their position in the evaluation.   turn: from 1.   history: titles shown before, oldest first.
    recommended: titles of the slate, best first; or the question that was asked.   reward: of the slate.
    """

    user: str
    turn: int
    history: list[str]
    recommended: list[str]
    reward: float


def sample_recommendations(
    policy: AnyPolicy, environment: Environment, rewards: RewardSum, data: Data, *, seed: int, num_users: int = 3, num_turns: int = 5
) -> list[Recommendation]:
    """What the first `num_users` users of `environment.start_evaluation(seed)` are shown in their first `num_turns` turns, user by user."""
    observations: list[Observation] = []

    def choose(observation: Observation, turn: int, _alive: Tensor) -> Tensor:
        observations.append(observation)
        return decide(policy, environment, observation, turn)

    with policy if isinstance(policy, AbstractContextManager) else nullcontext():
        episodes = play(choose, environment, rewards, seed, num_turns)
    titles, played, first_question = data.catalog.titles, episodes.rewards.shape[0], data.catalog.first_question
    # what a question hides was not recommended
    shown = (
        shown_places(episodes.slates, first_question) if data.catalog.num_questions else torch.ones_like(episodes.slates, dtype=torch.bool)
    )
    shown[..., 0] = True
    users = observations[0].user[:num_users].tolist()
    known = data.users if environment.spec.has_users else None
    names = [known.ids[user] if known is not None else f"no. {row + 1}" for row, user in enumerate(users)]
    histories = [observation.history_items[:num_users].tolist() for observation in observations[:played]]
    parts = (episodes.slates.masked_fill(~shown, PAD), episodes.rewards, episodes.alive)
    slates, slate_rewards, alive = (values[:, :num_users].tolist() for values in parts)
    return [
        Recommendation(
            user=names[row],
            turn=turn + 1,
            history=[titles[item] for item in histories[turn][row] if item != PAD],
            recommended=[titles[item] for item in slates[turn][row] if item != PAD],
            reward=slate_rewards[turn][row],
        )
        for row in range(len(users))
        for turn in range(played)
        if alive[turn][row]
    ]
