"""Off-policy evaluation of several policies by every estimator that fits the log, in the format of every other evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from recframe.evaluation.off_policy import single_items
from recframe.evaluation.off_policy.concentration import empirical_bernstein, hoeffding, values_of_people
from recframe.evaluation.off_policy.contributions import intervals, mean_of
from recframe.evaluation.off_policy.decisions import LoggedDecisions, judged_decisions
from recframe.evaluation.off_policy.diagnostics import diagnose, few_people, range_caveats, weight_caveats
from recframe.evaluation.off_policy.estimates import estimates_of
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.evaluation.off_policy.pas_if import Estimator, pas_if
from recframe.evaluation.off_policy.policies import ActionProbabilities
from recframe.evaluation.off_policy.policy_caveats import PolicyCaveat, caveats_in_words
from recframe.evaluation.off_policy.reward_models import DecisionRewardModel, fit_reward_model, folds_of, item_features
from recframe.evaluation.off_policy.text_clusters import cluster_probabilities, estimated_cluster_propensities, marginalised_ips
from recframe.evaluation.results import Metrics, metrics_of
from recframe.evaluation.statistics import CHUNK_ELEMENTS, Interval
from recframe.interfaces.data import DataError

LOGGING = "logging"
"""The policy that chose: its value is the mean of what was logged."""

CHOICE_CELLS = 20 * CHUNK_ELEMENTS
"""PAS-IF holds the probabilities of all items in all rows; logs of more cells are refused."""


class Bounds(NamedTuple):
    """What is known beforehand, and makes concentration intervals valid: rewards are within `[low, high]`, weights at most `weight`.

    Weights above it are clipped, which biases the estimate downwards where rewards are positive.
    """

    low: float
    high: float
    weight: float


@dataclass(frozen=True)
class OffPolicyResult:
    """What a log says about policies.

    policies: `{policy: Metrics}` as in result.json. `value` is the mean reward of a decision by the estimator that the data chose,
        `value/ESTIMATOR` the same by each.
    diagnostics: `{policy: numbers}`, the fields of `Diagnostics`.   chosen: `{policy: name}`, the estimator behind `value`.
    caveats: sentences that a reader must know.   logged: the smallest and the largest of the logged rewards (of sessions: returns).
    """

    policies: dict[str, Metrics]
    diagnostics: dict[str, dict[str, float | int]]
    chosen: dict[str, str]
    caveats: list[str] = field(default_factory=list)
    logged: tuple[float, float] = (float("nan"), float("nan"))


def evaluate_off_policy(
    decisions: LoggedDecisions,
    policies: Mapping[str, ActionProbabilities],
    items: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    reward_model: Literal["ridge", "logistic"] = "ridge",
    penalty: float = 1.0,
    bounds: Bounds | None = None,
    choose: Literal["least_error", "slope", "pas_if"] = "least_error",
    seed: int = 0,
) -> OffPolicyResult:
    """The mean reward of each policy by every single-item estimator, with 95 % intervals over people, and what to make of it.

    Parameters
    ----------
    policies: by name; `recframe.evaluation.off_policy.policies` makes them of scores and rankings.
    items: `[M, Z]`, item features of the reward model, such as a few principal components of text vectors. None: one for each item, if
        there are at most 512, else none.
    clusters: `[M]` int64, clusters of items (`clusters_of` their texts), for marginalised IPS. None: it is left out.
    reward_model, penalty: `fit_reward_model`, cross-fitted over people.
    bounds: adds IPS with concentration intervals, `value/ips_hoeffding` and `value/ips_bernstein`.
    choose: how the estimator behind `value` is chosen. least_error and slope: along switch-DR's threshold, from DR to the direct method, by
        the least estimated error or by SLOPE. pas_if: among DR, self-normalised IPS and DR, switch-DR and the direct method; it needs the
        logging policy. The interval of `value` is DR's in every case, extended to the value: others' do not hold their bias.

    Raises
    ------
    DataError: a log, a policy's probabilities or options that cannot be used, in one line.
    """
    if LOGGING in policies:
        raise DataError(f"the name {LOGGING!r} stands for the policy that chose; give the evaluated policy another one")
    if choose == "pas_if" and (decisions.logging is None or len(decisions) * decisions.num_items > CHOICE_CELLS):
        raise DataError(f"choose=pas_if needs the logging policy's probabilities of all items, and a log of at most {CHOICE_CELLS:,} cells")
    folds = folds_of(decisions.people, seed=seed)
    model = _reward_model(decisions, items, folds, reward_model, penalty)
    of_clusters = None if clusters is None else _cluster_propensities(decisions, clusters, folds)
    logged = float(decisions.rewards.min()), float(decisions.rewards.max())
    result = OffPolicyResult({LOGGING: _on_policy(decisions, seed)}, {}, {}, _about_the_log(decisions), logged)
    caveats: list[PolicyCaveat] = []
    for name, policy in policies.items():
        judged = judged_decisions(decisions, policy, model, clusters)
        estimates = estimates_of(judged.log, decisions.people, "least_error" if choose == "pas_if" else choose)
        if choose == "pas_if":
            chosen = _choose_by_pas_if(decisions, policy, items, reward_model, penalty, estimates.threshold, seed)
            estimates = estimates._replace(chosen=chosen)
        if of_clusters is not None and judged.cluster_probabilities is not None:
            estimates.found["mips"] = marginalised_ips(judged.log.rewards, of_clusters, judged.cluster_probabilities)
        values = estimates.intervals(decisions.people, seed)
        values |= {} if bounds is None else _bounded(judged.log, decisions.people, bounds)
        result.policies[name] = metrics_of(values)
        numbers = diagnose(judged.log.weights, decisions.people, judged.unlogged, judged.impossible)
        result.diagnostics[name] = numbers.as_numbers()
        result.chosen[name] = estimates.chosen
        caveats.extend(weight_caveats(name, numbers))
        caveats.extend(range_caveats(name, result.policies[name], estimates.chosen, numbers, logged))
    result.caveats.extend(caveats_in_words(caveats))
    return result


def _choose_by_pas_if(
    decisions: LoggedDecisions,
    policy: ActionProbabilities,
    items: np.ndarray | None,
    kind: Literal["ridge", "logistic"],
    penalty: float,
    threshold: float,
    seed: int,
) -> str:
    def predict(rows: np.ndarray) -> np.ndarray:
        part = decisions.rows(rows)
        return _reward_model(part, items, folds_of(part.people, seed=seed), kind, penalty).predict(np.arange(len(rows)))

    estimators: dict[str, Estimator] = {
        "dm": single_items.direct_method,
        "snips": single_items.self_normalised,
        "dr": single_items.doubly_robust,
        "sndr": single_items.self_normalised_doubly_robust,
        "switch_dr": lambda log: single_items.switch_doubly_robust(log, threshold),
    }
    assert decisions.logging is not None
    every = np.arange(len(decisions))
    sides = decisions.logging(every), policy(every)
    return pas_if(estimators, decisions.actions, decisions.rewards, *sides, predict=predict, seed=seed).name


def _reward_model(
    decisions: LoggedDecisions, items: np.ndarray | None, folds: np.ndarray, kind: Literal["ridge", "logistic"], penalty: float
) -> DecisionRewardModel:
    items = item_features(decisions.num_items) if items is None else items
    return fit_reward_model(decisions.rewards, decisions.actions, decisions.contexts, items, folds, kind, penalty)


def _cluster_propensities(decisions: LoggedDecisions, clusters: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """p(e|x, mu) of the logged items' clusters `[n]`: exact if the logging policy is known, else estimated."""
    shown = clusters[decisions.actions]
    if decisions.logging is None:
        return estimated_cluster_propensities(shown, decisions.contexts, folds)
    logging = decisions.logging
    return np.concatenate([cluster_probabilities(logging(c), clusters)[np.arange(len(c)), shown[c]] for c in decisions.chunks()])


def _on_policy(decisions: LoggedDecisions, seed: int) -> Metrics:
    return metrics_of({"value": intervals(mean_of(decisions.rewards), decisions.people, seed)[0]})


def _bounded(log: SingleItemLog, people: np.ndarray, bounds: Bounds) -> dict[str, Interval]:
    """IPS with clipped weights and both concentration intervals, within what rewards can be."""
    values, times = values_of_people(single_items.inverse_propensity(log, bounds.weight).numerators, people)
    # a contribution is the product of a weight, which may be 0, and a reward
    low, high = (times * bounds.weight * end for end in (min(bounds.low, 0.0), max(bounds.high, 0.0)))
    found = {"value/ips_hoeffding": hoeffding(values, low, high), "value/ips_bernstein": empirical_bernstein(values, low, high)}
    return {
        name: one._replace(low=float(np.fmax(one.low, bounds.low)), high=float(np.fmin(one.high, bounds.high)))
        for name, one in found.items()
    }


def _about_the_log(decisions: LoggedDecisions) -> list[str]:
    found = few_people(decisions.people)
    if decisions.rewards.min() == decisions.rewards.max():
        found.append(f"All {len(decisions):,} logged rewards are {decisions.rewards[0]:g}: no policy can be told from another by this log.")
    return found
