"""Off-policy evaluation of the return of whole sessions, by every sequential estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from recframe.evaluation.off_policy import trajectories
from recframe.evaluation.off_policy.contributions import intervals, mean_of, refitted_interval
from recframe.evaluation.off_policy.decisions import LoggedDecisions, judged_decisions
from recframe.evaluation.off_policy.diagnostics import diagnose, few_people, range_caveats, weight_caveats
from recframe.evaluation.off_policy.evaluation import LOGGING, OffPolicyResult
from recframe.evaluation.off_policy.fitted_q import fitted_q_values, fitted_returns
from recframe.evaluation.off_policy.logs import TrajectoryLog
from recframe.evaluation.off_policy.marginalised import marginalised_values
from recframe.evaluation.off_policy.policies import ActionProbabilities
from recframe.evaluation.off_policy.policy_caveats import PolicyCaveat, caveats_in_words
from recframe.evaluation.off_policy.reward_models import folds_of, item_features, with_constant
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.evaluation.results import metrics_of
from recframe.evaluation.statistics import Interval
from recframe.interfaces.data import DataError

MAX_FEATURES = 256
"""Features of fitted-Q evaluation, which is fitted anew for every resample of people."""

CHOSEN = "weighted_dr"
"""Behind `return`: doubly robust in the weights and the model, and of little variance where sessions are long."""


class Sessions(NamedTuple):
    """Where the rows of a log are in arrays `[S, T]` of S sessions.

    rows: `[S, T]` int64, row numbers, 0 after a session's end.   lengths: `[S]`.   people: `[S]`, of each session.
    steps: `[n]` int64, the place of each row in its session.
    """

    rows: np.ndarray
    lengths: np.ndarray
    people: np.ndarray
    steps: np.ndarray


def sessions_of(sessions: np.ndarray, people: np.ndarray) -> Sessions:
    """The sessions of a log whose rows `[n]` are in the order of time within each.

    Raises
    ------
    DataError: a session of several people.
    """
    _, numbers, lengths = np.unique(sessions, return_inverse=True, return_counts=True)
    order = np.argsort(numbers, kind="stable")
    starts = np.cumsum(lengths) - lengths
    rows = np.zeros((len(lengths), int(lengths.max())), dtype=np.int64)
    steps = np.empty(len(numbers), dtype=np.int64)
    steps[order] = np.arange(len(numbers)) - starts[numbers[order]]
    rows[numbers, steps] = np.arange(len(numbers))
    owners = people[order[starts]]
    wrong = people != owners[numbers]
    if wrong.any():
        raise DataError(f"sessions: the session of row {int(np.flatnonzero(wrong)[0])} has rows of several people")
    return Sessions(rows, lengths, owners, steps)


def evaluate_sessions_off_policy(
    decisions: LoggedDecisions,
    policies: Mapping[str, ActionProbabilities],
    discount: float = 1.0,
    items: np.ndarray | None = None,
    num_states: int = 20,
    ridge: float = 1.0,
    markov: bool = True,
    seed: int = 0,
) -> OffPolicyResult:
    """The expected return of a session under each policy, with 95 % intervals over people.

    The metrics are `return`, by weighted DR, and `return/ESTIMATOR`: trajectory-wise and per-decision IS, their weighted versions, DR and
    weighted DR with fitted-Q evaluation cross-fitted over people, fitted-Q evaluation itself, and marginalised IS. The last two are
    fitted anew to every resample of people; the others' intervals hold the predicted returns as they are.

    Parameters
    ----------
    decisions: with `sessions`. The context is the state; without contexts there is one state.
    items: `[M, Z]`, item features; Q is linear in their products with the context's and the step. None: one for each item, up to 512.
    num_states: for marginalised IS, contexts are clustered by k-means into so many states.
    ridge: the penalty of fitted-Q evaluation.
    markov: whether the contexts hold everything of the past that the policies, the rewards and the next contexts depend on. If not,
        fitted-Q evaluation and marginalised IS, which are about such states, are left out. The doubly robust estimates stay: weights are of
        whole histories, and what Q predicts wrongly from a part of them costs variance only.

    Raises
    ------
    DataError: no sessions, too many features, or a log or policy that cannot be used.
    """
    if decisions.sessions is None:
        raise DataError("returns are of sessions, and the log has no sessions: evaluate single decisions instead")
    if LOGGING in policies:
        raise DataError(f"the name {LOGGING!r} stands for the policy that chose; give the evaluated policy another one")
    sessions = sessions_of(decisions.sessions, decisions.people)
    owners = np.unique(sessions.people, return_inverse=True)[1]
    folds = folds_of(sessions.people, seed=seed)
    contexts = _states_of(decisions, sessions)
    features = with_constant(item_features(decisions.num_items) if items is None else items)
    if contexts.shape[1] * features.shape[1] > MAX_FEATURES:
        raise DataError(
            f"{contexts.shape[1] - 2} context and {features.shape[1] - 1} item features have {contexts.shape[1] * features.shape[1]:,} "
            f"products with the step and the constants, more than {MAX_FEATURES}: reduce them first"
        )
    states = _states(decisions.contexts, len(decisions), num_states, seed)[sessions.rows] if markov else None
    taken = _products(contexts, features[decisions.actions])[sessions.rows]
    result = OffPolicyResult({}, {}, {}, few_people(decisions.people, "sessions"))
    caveats: list[PolicyCaveat] = []
    for name, policy in policies.items():
        judged = judged_decisions(decisions, policy)
        expected = _products(contexts, _expected_items(decisions, policy, features))[sessions.rows]
        sides = (judged.log.rewards, judged.log.propensities, judged.log.probabilities)
        rewards, propensities, probabilities = (side[sessions.rows] for side in sides)
        log = TrajectoryLog(rewards, propensities, probabilities, sessions.lengths, discount)
        if LOGGING not in result.policies:
            returns = (log.discounts * log.rewards).sum(axis=1)
            result = replace(result, logged=(float(returns.min()), float(returns.max())))
            result.policies[LOGGING] = metrics_of({"return": intervals(mean_of(returns), sessions.people, seed)[0]})
        found = _estimates(log, taken, expected, states, folds, owners, ridge, seed)
        result.policies[name] = metrics_of({"return": found[CHOSEN]} | {f"return/{key}": one for key, one in found.items()})
        numbers = diagnose(log.ratios.prod(axis=1), sessions.people, judged.unlogged, judged.impossible)
        result.diagnostics[name] = numbers.as_numbers()
        result.chosen[name] = CHOSEN
        caveats.extend(weight_caveats(name, numbers, "sessions"))
        caveats.extend(range_caveats(name, result.policies[name], CHOSEN, numbers, _possible_returns(log)))
    result.caveats.extend(caveats_in_words(caveats))
    return result


def _possible_returns(log: TrajectoryLog) -> tuple[float, float]:
    """The smallest and the largest return of a session as long as logged ones are, with rewards from the smallest to the largest logged."""
    rewards = log.rewards[log.inside]
    discounted = log.discounts.cumsum()[[log.lengths.min() - 1, log.lengths.max() - 1]]
    return float((discounted * rewards.min()).min()), float((discounted * rewards.max()).max())


def _estimates(
    log: TrajectoryLog,
    taken: np.ndarray,
    expected: np.ndarray,
    states: np.ndarray | None,
    folds: np.ndarray,
    people: np.ndarray,
    ridge: float,
    seed: int,
) -> dict[str, Interval]:
    model = fitted_returns(log, taken, expected, folds, ridge)
    modelled = TrajectoryLog(log.rewards, log.propensities, log.probabilities, log.lengths, log.discount, *model)
    contributions = {
        "is": trajectories.trajectory_wise(log),
        "weighted_is": trajectories.trajectory_wise(log, weighted=True),
        "per_decision_is": trajectories.per_decision(log),
        "weighted_per_decision_is": trajectories.per_decision(log, weighted=True),
        "dr": trajectories.doubly_robust(modelled),
        "weighted_dr": trajectories.doubly_robust(modelled, weighted=True),
    }
    found = {key: intervals(one, people, seed)[0] for key, one in contributions.items()}
    if states is None:
        return found
    count = int(people.max()) + 1
    found["fitted_q"] = refitted_interval(lambda w: fitted_q_values(log, taken, expected, w[:, people], ridge), count, seed)
    found["marginalised_is"] = refitted_interval(lambda w: marginalised_values(log, states, w[:, people]), count, seed)
    return found


def _states_of(decisions: LoggedDecisions, sessions: Sessions) -> np.ndarray:
    """What Q knows of a state, `[n, X + 2]`: the context, the share of the longest session that is over, and a constant.

    Without the step, sessions that end after a number of steps would look as if they might end after every step.
    """
    contexts = np.zeros((len(decisions), 0)) if decisions.contexts is None else decisions.contexts
    return with_constant(np.concatenate([contexts, (sessions.steps / sessions.rows.shape[1])[:, None]], axis=1))


def _expected_items(decisions: LoggedDecisions, policy: ActionProbabilities, features: np.ndarray) -> np.ndarray:
    """sum_a pi(a|x) z_a, `[n, Z]`."""
    return np.concatenate([policy(rows) @ features for rows in decisions.chunks()])


def _states(contexts: np.ndarray | None, rows: int, count: int, seed: int) -> np.ndarray:
    """The state `[n]` int64 of each row: the cluster of its context."""
    if contexts is None or not contexts.shape[1]:
        return np.zeros(rows, dtype=np.int64)
    different, numbers = np.unique(contexts, axis=0, return_inverse=True)
    if len(different) <= count:
        return np.asarray(numbers, dtype=np.int64).reshape(rows)
    return clusters_of(contexts, count, seed)


def _products(contexts: np.ndarray, features: np.ndarray) -> np.ndarray:
    """All products of a row's context and item features, `[n, X Z]`."""
    products: np.ndarray = contexts[:, :, None] * features[:, None, :]
    return products.reshape(len(contexts), -1)
