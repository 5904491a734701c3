"""Evaluates policies on the same simulated people."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from recframe.evaluation.people import People, PersonSums
from recframe.evaluation.results import Evaluation, Metrics
from recframe.evaluation.simulated.metrics import policy_metrics, policy_sums
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
    leaves_out: Callable[[str, Exception], bool] | None = None,
) -> Evaluation:
    """The metrics of every policy on the same people with the same random draws: each is played from `start_evaluation(seed)`.

    Parameters
    ----------
    environment: an environment of the users whom the result is about. It meets everybody once before anybody twice, if it draws its users
        from a list of people; confidence intervals are over people.
    max_steps: sessions are counted up to this number of turns.
    resamples: number of bootstrap resamples for the intervals.
    leaves_out: asked with its name and the error whether a policy that fails is left out; otherwise the error is raised.
    """
    measured: dict[str, Metrics] = {}
    sums: dict[str, PersonSums] = {}
    people = People.of_sessions(np.arange(environment.spec.num_users))
    for name, policy in policies.items():
        try:
            episodes = rollout(policy, environment, rewards, seed, max_steps)
        except Exception as error:
            if leaves_out is None or not leaves_out(name, error):
                raise
            continue
        people = episodes.met
        sums[name] = policy_sums(episodes, catalog)
        measured[name] = policy_metrics(episodes, catalog, seed, resamples, sums[name])
    return Evaluation(measured, people, sums)
