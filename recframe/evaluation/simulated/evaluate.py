"""Evaluates policies side by side, and shows in words what one of them recommends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from torch import Tensor

from recframe.evaluation.simulated.metrics import Metrics, policy_metrics
from recframe.evaluation.simulated.rollout import AnyPolicy, decide, play, rollout
from recframe.evaluation.statistics import RESAMPLES
from recframe.experience import RewardSum
from recframe.interfaces import PAD, Catalog, Data, Environment, Observation


def evaluate(
    policies: Mapping[str, AnyPolicy],
    environment: Environment,
    score_rewards: RewardSum,
    catalog: Catalog,
    *,
    seed: int,
    max_steps: int,
    resamples: int = RESAMPLES,
) -> dict[str, Metrics]:
    """The metrics of every policy on the same users and the same luck: each is played from `environment.reset(seed)`.

    Parameters
    ----------
    environment: an *evaluation-split* environment; its N users are the sample that the confidence intervals speak of.
    max_steps: sessions are counted up to so many turns.
    resamples: of the bootstrap behind the intervals.

    Returns
    -------
    `{policy: {metric: {"mean", "low", "high", "n"}}}`, see `policy_metrics`.
    """
    return {
        name: policy_metrics(rollout(policy, environment, score_rewards, seed, max_steps), catalog, seed, resamples)
        for name, policy in policies.items()
    }


class Recommendation(NamedTuple):
    """One turn of one user, for people to read.

    user: their name in the data, or their place in the evaluation.
    turn: from 1.   history: titles shown before, oldest first.
    recommended: titles of the slate, best first.   reward: of the slate.
    """

    user: str
    turn: int
    history: list[str]
    recommended: list[str]
    reward: float


def sample_recommendations(
    policy: AnyPolicy, environment: Environment, rewards: RewardSum, data: Data, *, seed: int, num_users: int = 3, num_turns: int = 5
) -> list[Recommendation]:
    """What the first `num_users` users of `environment.reset(seed)` are shown in their first `num_turns` turns, user by user."""
    observations: list[Observation] = []

    def choose(observation: Observation, turn: int, _alive: Tensor) -> Tensor:
        observations.append(observation)
        return decide(policy, environment, observation, turn)

    with policy if isinstance(policy, AbstractContextManager) else nullcontext():
        episodes = play(choose, environment, rewards, seed, num_turns)
    titles, played = data.catalog.titles, episodes.rewards.shape[0]
    users = observations[0].user[:num_users].tolist()
    known = data.users if environment.spec.has_users else None
    names = [known.ids[user] if known is not None else f"no. {row + 1}" for row, user in enumerate(users)]
    histories = [observation.history_items[:num_users].tolist() for observation in observations[:played]]
    slates, rewards_, alive = (values[:, :num_users].tolist() for values in (episodes.slates, episodes.rewards, episodes.alive))
    return [
        Recommendation(
            user=names[row],
            turn=turn + 1,
            history=[titles[item] for item in histories[turn][row] if item != PAD],
            recommended=[titles[item] for item in slates[turn][row]],
            reward=rewards_[turn][row],
        )
        for row in range(len(users))
        for turn in range(played)
        if alive[turn][row]
    ]
