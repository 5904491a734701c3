"""Off-policy evaluation of a run: what the held-out decisions of another policy say about the trained one and the references.

It is made where the log says with what probability each item was shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recframe.building.parts import Parts
from recframe.evaluation.off_policy.decisions import LoggedDecisions
from recframe.evaluation.off_policy.evaluation import OffPolicyResult, evaluate_off_policy
from recframe.evaluation.off_policy.policies import ActionProbabilities, epsilon_greedy_of_ranking
from recframe.evaluation.off_policy.session_evaluation import evaluate_sessions_off_policy
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.evaluation.people import LOGGED
from recframe.experience import with_rewards
from recframe.interfaces import EnvironmentSpec, Log, Ranker
from recframe.logs import observations

log = logging.getLogger(__name__)

CLUSTERS = 32
COMPONENTS = 16
"""Of a context's features, and of items' text vectors, the reward model reads the leading principal components."""
ITEMS_ONE_BY_ONE = 128
"""The largest catalogue in which the reward model knows the items one by one, and not by their texts."""


@dataclass(frozen=True)
class OffPolicyEvaluation:
    """The estimates, and how many decisions of how many people they are from.

    result: the values of a decision.   sessions: the returns of a session; None if every session has one decision.
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

    Policies show the first item of their ranking, as when deployed. None if the log has no propensities.
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
    decisions = LoggedDecisions(
        actions=of["items"],
        rewards=of["rewards"].astype(np.float64),
        propensities=of["propensities"].astype(np.float64),
        people=of["users"],
        num_items=held_out.num_items,
        sessions=held_out.sequence[rows].cpu().numpy(),
        contexts=None if held_out.features is None else _components(held_out.features[rows]),
    )
    vectors, num_items = parts.data.catalog.text_vectors, held_out.num_items
    assert vectors is not None
    clusters = clusters_of(vectors.cpu().numpy(), CLUSTERS) if vectors.shape[1] and num_items > CLUSTERS else None
    features = _components(vectors) if num_items > ITEMS_ONE_BY_ONE else None
    with ExitStack() as entered:
        for ranker in rankers.values():
            if isinstance(ranker, AbstractContextManager):
                entered.enter_context(ranker)
        policies = {name: _greedy(ranker, held_out, rows, spec) for name, ranker in rankers.items()}
        seed = parts.cfg.evaluation.seed
        result = evaluate_off_policy(decisions, policies, items=features, clusters=clusters, seed=seed)
        assert decisions.sessions is not None
        number = len(np.unique(decisions.sessions))
        sessions = None if number == len(rows) else evaluate_sessions_off_policy(decisions, policies, items=features, seed=seed)
    return OffPolicyEvaluation(result, len(rows), len(np.unique(of["users"])), sessions, number)


def _columns(held_out: Log) -> dict[str, Tensor]:
    found = {name: getattr(held_out, name) for name in ("items", "rewards", "propensities", "users")}
    return {name: values for name, values in found.items() if values is not None}


def _components(vectors: Tensor) -> np.ndarray:
    """The leading principal components of the rows of `vectors` `[n, D]`, `[n, z]`; all that there is if D is small."""
    values = vectors.double().cpu()
    if values.shape[1] <= COMPONENTS:
        return np.asarray(values.numpy())
    centred = values - values.mean(dim=0)
    left, lengths, _ = torch.linalg.svd(centred, full_matrices=False)
    return np.asarray((left * lengths)[:, :COMPONENTS].numpy())


def _greedy(ranker: Ranker, held_out: Log, rows: Tensor, spec: EnvironmentSpec) -> ActionProbabilities:
    """The policy that shows the first item of the ranking after the history before each of the `rows` `[n]`."""

    @torch.no_grad()
    def probabilities(places: np.ndarray) -> np.ndarray:
        chosen = rows[torch.from_numpy(places).to(rows.device)]
        starts = held_out.starts[chosen]
        length = max(1, int((chosen - starts).max())) if ranker.reads_whole_history else spec.history_length
        observation = observations(held_out, starts, chosen, length, spec.signals)
        return epsilon_greedy_of_ranking(ranker.rank(observation, 1).cpu().numpy(), held_out.num_items)

    return probabilities
