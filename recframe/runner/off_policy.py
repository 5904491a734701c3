"""Off-policy evaluation of a run: what the held-out decisions of another policy say about the trained one and the references.

It is made where the log says with what probability each item was shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recframe.building.parts import Parts
from recframe.evaluation.off_policy.decisions import LoggedDecisions
from recframe.evaluation.off_policy.evaluation import OffPolicyResult, evaluate_off_policy
from recframe.evaluation.off_policy.policies import ActionProbabilities, ranking_policy
from recframe.evaluation.off_policy.session_evaluation import evaluate_sessions_off_policy
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.evaluation.people import LOGGED
from recframe.evaluation.ranking.lists import top_lists
from recframe.experience import with_rewards
from recframe.interfaces import PAD, EnvironmentSpec, Log, Ranker
from recframe.logs import HeldOut
from recframe.runner.decision_features import features_of_decisions, features_of_sessions
from recframe.runner.failures import attempt

log = logging.getLogger(__name__)

CLUSTERS = 32
TIME_HAS_NO_SESSIONS = (
    "No returns of sessions are estimated: split.by=time holds out the ends of what users did, which are no sessions; use "
    "split.by=sessions."
)


@dataclass(frozen=True)
class OffPolicyEvaluation:
    """The estimates, and how many decisions of how many people they are from.

    result: the values of a decision.   sessions: the returns of a session; None if every session has one decision. If they cannot be
        estimated, it is None, and a caveat of `result` says so.
    """

    result: OffPolicyResult
    decisions: int
    people: int
    sessions: OffPolicyResult | None = None
    num_sessions: int = 0

    def entry(self) -> dict[str, Any]:
        """The entry `off_policy` of result.json."""
        about: dict[str, Any] = {"split": LOGGED, "people": self.people, "decisions": self.decisions}
        entry = {"evaluation": {**about, "rewards": list(self.result.logged)}, **_tables(self.result)}
        if self.sessions is not None:
            of_sessions = {**about, "sessions": self.num_sessions, "returns": list(self.sessions.logged)}
            entry["sessions"] = {"evaluation": of_sessions, **_tables(self.sessions)}
        return entry


def _tables(found: OffPolicyResult) -> dict[str, Any]:
    return {"policies": found.policies, "diagnostics": found.diagnostics, "chosen": found.chosen, "caveats": found.caveats}


def off_policy_evaluation(parts: Parts, rankers: Mapping[str, Ranker], spec: EnvironmentSpec) -> OffPolicyEvaluation | None:
    """The mean reward of a decision under each policy, from the decisions that the split holds out for the test.

    Policies show the first item of their ranking, as when deployed: of the items not seen before, if `evaluation.exclude_seen` is true and
    there is one. None if the log has no propensities.

    Raises
    ------
    DataError: nothing can be estimated from these decisions.
    """
    assert parts.log is not None
    rows = parts.log.test_rows
    if rows is None:
        return None
    held_out = with_rewards(parts.log.test.log, parts.rewards, spec.history_length, spec.signals)
    assert held_out.propensities is not None
    assert held_out.rewards is not None
    log.info("estimating the values of %s from %d held-out decisions", ", ".join(rankers), len(rows))
    of = {name: values[rows].cpu().numpy() for name, values in _columns(held_out).items()}
    vectors, num_items = parts.data.catalog.text_vectors, held_out.num_items
    assert vectors is not None
    contexts = None if held_out.features is None else held_out.features[rows]
    features = features_of_decisions(contexts, vectors)
    decisions = LoggedDecisions(
        actions=of["items"],
        rewards=of["rewards"].astype(np.float64),
        propensities=of["propensities"].astype(np.float64),
        people=of["users"],
        num_items=num_items,
        sessions=held_out.sequence[rows].cpu().numpy(),
        contexts=features.contexts,
    )
    clusters = clusters_of(vectors.cpu().numpy(), CLUSTERS) if vectors.shape[1] and num_items > CLUSTERS else None
    exclude_seen, seed = parts.cfg.evaluation.exclude_seen, parts.cfg.evaluation.seed
    policies = {name: _greedy(name, ranker, held_out, rows, spec, exclude_seen) for name, ranker in rankers.items()}
    result = evaluate_off_policy(decisions, policies, items=features.items, clusters=clusters, seed=seed)
    assert decisions.sessions is not None
    number = len(np.unique(decisions.sessions))
    sessions = None

    def of_sessions() -> OffPolicyResult:
        features = features_of_sessions(contexts, vectors)
        described = replace(decisions, contexts=features.contexts)
        # policies read histories, which are not in the contexts
        return evaluate_sessions_off_policy(described, policies, items=features.items, markov=False, seed=seed)

    if number < len(rows):
        if parts.cfg.split.by == "time":
            result.caveats.append(TIME_HAS_NO_SESSIONS)
        else:
            sessions = attempt("The returns of sessions", of_sessions, result.caveats)
    return OffPolicyEvaluation(result, len(rows), len(np.unique(of["users"])), sessions, number)


def _columns(held_out: Log) -> dict[str, Tensor]:
    found = {name: getattr(held_out, name) for name in ("items", "rewards", "propensities", "users")}
    return {name: values for name, values in found.items() if values is not None}


def _greedy(name: str, ranker: Ranker, held_out: Log, rows: Tensor, spec: EnvironmentSpec, exclude_seen: bool) -> ActionProbabilities:
    """The policy that shows the first item of the ranking after the history before each of the `rows` `[n]`.

    The items are asked for once, for all rows: a ranking with a random draw is then one policy, whoever asks for its probabilities.
    """
    first = _first_items(name, ranker, held_out, rows, spec, exclude_seen)
    if exclude_seen and len(everything_seen := (first == PAD).nonzero()[:, 0]):
        # nothing is left to show, but something was shown: the policy then ranks all items
        first[everything_seen] = _first_items(name, ranker, held_out, rows[everything_seen], spec, exclude_seen=False)
    items = first.cpu().numpy()
    return ranking_policy(lambda places: items[places, None], held_out.num_items)


def _first_items(name: str, ranker: Ranker, held_out: Log, rows: Tensor, spec: EnvironmentSpec, exclude_seen: bool) -> Tensor:
    """The first item `[n]` of the ranking before each of the `rows` `[n]`, asked for as in the evaluation of rankings."""
    offsets = torch.arange(len(rows) + 1, device=rows.device)
    queries = HeldOut(held_out, held_out.starts[rows], rows, held_out.users[rows], held_out.items[rows], offsets)
    settings: dict[str, Any] = {"history_length": spec.history_length, "signals": spec.signals, "exclude_seen": exclude_seen}
    return torch.cat([found.items[:, 0] for found in top_lists(name, ranker, queries, held_out.num_items, 1, **settings)])
