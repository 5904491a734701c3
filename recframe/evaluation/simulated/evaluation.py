"""Evaluates policies on the same simulated users."""

from __future__ import annotations

from collections.abc import Mapping

from recframe.evaluation.results import Metrics
from recframe.evaluation.simulated.metrics import policy_metrics
from recframe.evaluation.simulated.rollout import AnyPolicy, rollout
from recframe.evaluation.statistics import RESAMPLES
from recframe.experience import RewardSum
from recframe.interfaces import Catalog, Environment


def evaluate_policies(
    policies: Mapping[str, AnyPolicy],
    environment: Environment,
    rewards: RewardSum,
    catalog: Catalog,
    *,
    seed: int,
    max_steps: int,
    resamples: int = RESAMPLES,
) -> dict[str, Metrics]:
    """The metrics of every policy on the same users with the same random draws: each is played from `environment.reset(seed)`.

    Parameters
    ----------
    environment: an environment of the *evaluation split*. Its N users are the sample that the confidence intervals are about.
    max_steps: sessions are counted up to this number of turns.
    resamples: number of bootstrap resamples for the intervals.

    Returns
    -------
    `{policy: {metric: {"mean", "low", "high", "n"}}}`, see `policy_metrics`.
    """
    return {
        name: policy_metrics(rollout(policy, environment, rewards, seed, max_steps), catalog, seed, resamples)
        for name, policy in policies.items()
    }
