"""The reference policies that every evaluation reports next to the trained policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np

from recframe.evaluation.simulated.rollout import AnyPolicy, rollout
from recframe.experience import RewardSum, never_asked
from recframe.interfaces import Data, Environment
from recframe.references.fitting.expected_rewards import expected_responses
from recframe.references.fitting.fixed_slates import best_fixed_slate
from recframe.references.fitting.greedy import fit_greedy
from recframe.references.fitting.posterior_greedy import fit_posterior_greedy
from recframe.references.fitting.random_log import collect_random_log
from recframe.references.item_means import mean_item_rewards
from recframe.references.never_asking import never_asking
from recframe.references.oracle import OraclePolicy
from recframe.references.popular import PopularPolicy
from recframe.references.random import RandomPolicy

log = logging.getLogger(__name__)

P = TypeVar("P", bound=AnyPolicy)

# candidate leave penalties of the oracle, as multiples of the myopic oracle's mean return
LEAVE_PENALTIES = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class ReferenceBudget:
    """How much the reference policies may use of the training environment.

    log_sessions: number of random sessions that greedy and the item means learn from.   log_slates: maximum number of slates of them.
    sessions: number of sessions on which each fixed slate and each leave penalty is tried.
    """

    log_sessions: int = 1_024
    log_slates: int = 50_000
    sessions: int = 512


def reference_policies(
    environment: Environment,
    rewards: RewardSum,
    data: Data,
    *,
    max_steps: int,
    seed: int,
    budget: ReferenceBudget | None = None,
    warn: Callable[[str], None] = log.warning,
) -> dict[str, AnyPolicy]:
    """The policies `random`, `popular`, `fixed_slate`, `greedy`, `posterior_greedy` and, if the environment knows the truth, `oracle`.

    If actions are continuous, only `random`: the others rank items. None of them asks a question, where that is possible: they are fitted
    as if there were none.

    Parameters
    ----------
    environment: an environment of the *training split* to fit and tune in. It is reset many times, so it must not be the one that
        the agent trains in. Its number of users may differ from the evaluation's. Each trial takes `budget.sessions` sessions, so a
        few hundred users are fastest.
    rewards: the run's reward. Policies that know the truth (the oracle; of training people, some candidates for the fixed slate, and
        posterior_greedy) use its itemwise terms; those that learn from logs (greedy, the other candidates) use the observed rewards, with
        all terms.
    data: has text vectors and is on the environment's device.
    max_steps: the longest session of the evaluation.
    warn: called with a sentence if a reference is poorer than it should be.

    Raises
    ------
    ValueError: the catalogue has no text vectors.
    """
    spec, budget = environment.spec, budget or ReferenceBudget()
    if spec.actions != "items":
        return {"random": RandomPolicy(spec, seed)}
    if spec.num_questions:
        items, known = never_asked(environment), data.without_questions()
        fitted = reference_policies(items, rewards, known, max_steps=max_steps, seed=seed, budget=budget, warn=warn)
        return {name: never_asking(policy, spec.first_question) for name, policy in fitted.items()}
    log_rollouts, trials = (max(1, ceil(sessions / spec.num_users)) for sessions in (budget.log_sessions, budget.sessions))
    # no policy is chosen on the sessions that it was fitted on
    seeds = [int(word) for word in np.random.SeedSequence(seed).generate_state(log_rollouts + trials + 2)]
    policy_seed, schedule_seed, log_seeds, trial_seeds = seeds[0], seeds[1], seeds[2 : 2 + log_rollouts], seeds[2 + log_rollouts :]

    logged = collect_random_log(environment, rewards, log_seeds, max_steps, budget.log_slates)
    # the last ranking is by what showing an item does to the whole rest of the session
    long_term = mean_item_rewards(logged.slates, logged.advantages[:, None].expand_as(logged.item_rewards), spec.num_items)
    rankings = [mean_item_rewards(logged.slates, logged.item_rewards, spec.num_items), data.catalog.popularity, long_term]
    responses = None
    if environment.truth() is not None:
        responses = expected_responses(environment, rewards, log_seeds)
        rankings.insert(0, responses.rewards.mean(dim=0))

    def score(policy: AnyPolicy) -> float:
        return mean_return(policy, environment, rewards, max_steps, trial_seeds)

    policies: dict[str, AnyPolicy] = {
        "random": RandomPolicy(spec, policy_seed),
        "popular": PopularPolicy(spec, data.catalog.popularity),
        "fixed_slate": best_fixed_slate(environment, rewards, rankings, score, max_steps, schedule_seed),
        "greedy": fit_greedy(logged, spec, data, policy_seed),
        "posterior_greedy": fit_posterior_greedy(responses, logged, spec, policy_seed),
    }
    _warn_of_a_poor_list(policies, score, warn)
    if responses is not None:
        policies["oracle"] = tuned_oracle(environment, rewards, max_steps, trial_seeds)
    return policies


def _warn_of_a_poor_list(policies: Mapping[str, AnyPolicy], score: Callable[[AnyPolicy], float], warn: Callable[[str], None]) -> None:
    """Say if a policy that everybody can have is better on training people than the best fixed slate that was found."""
    best = score(policies["fixed_slate"])
    for name in ("random", "popular"):
        if (other := score(policies[name])) > best:
            warn(
                f"fixed_slate is not the best that needs no personalisation: it returns {best:.4g} to training people, "
                f"and {name} returns {other:.4g}."
            )


def tuned_oracle(environment: Environment, rewards: RewardSum, max_steps: int, seeds: Sequence[int]) -> OraclePolicy:
    """The oracle with the leave penalty of the best return on `seeds`. Candidates are multiples of the myopic oracle's mean return."""
    myopic = OraclePolicy(rewards, environment.spec.slate_size)
    worth = abs(mean_return(myopic, environment, rewards, max_steps, seeds))
    oracles = [OraclePolicy(rewards, environment.spec.slate_size, penalty * worth) for penalty in LEAVE_PENALTIES]
    return best_by_return(oracles, environment, rewards, max_steps, seeds)


def best_by_return(policies: Sequence[P], environment: Environment, rewards: RewardSum, max_steps: int, seeds: Sequence[int]) -> P:
    """The policy with the highest mean return on the sessions of `seeds`; the first one if several are equal."""
    return max(policies, key=lambda policy: mean_return(policy, environment, rewards, max_steps, seeds))


def mean_return(policy: AnyPolicy, environment: Environment, rewards: RewardSum, max_steps: int, seeds: Sequence[int]) -> float:
    """Mean return of a session, over the sessions of all `seeds`."""
    returns = [rollout(policy, environment, rewards, seed, max_steps).returns.double().mean() for seed in seeds]
    return float(sum(returns)) / len(seeds)
