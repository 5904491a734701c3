"""Evaluations of a run on its log: of the agent between epochs, and at the end of every policy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from recframe.building.parts import Parts
from recframe.evaluation.people import LOGGED, QUERIES
from recframe.evaluation.ranking import evaluate_ranking, ranking_means
from recframe.evaluation.results import Evaluation
from recframe.interfaces import Agent, EnvironmentSpec

log = logging.getLogger(__name__)

TRAINED = "trained"


def periodic_ranking(parts: Parts, agent: Agent) -> Callable[[], dict[str, float]]:
    """The function that training on a log calls between epochs: it returns the agent's metrics on the validation part."""
    assert parts.log is not None
    queries = parts.log.validation

    def evaluate_agent() -> dict[str, float]:
        return ranking_means(agent, queries, parts.data.catalog, **_settings(parts, agent.spec))

    return evaluate_agent


def ranking_evaluation(parts: Parts, agent: Agent) -> Evaluation:
    """The metrics of the trained policy and of the references on the test part of the log."""
    assert parts.log is not None
    settings = parts.cfg.evaluation
    rankers: dict[str, Any] = {TRAINED: agent}
    log.info("evaluating %s on %d held-out queries of the log", ", ".join(rankers), len(parts.log.test))
    return evaluate_ranking(
        rankers,
        parts.log.test,
        parts.data.catalog,
        training=parts.log.train,
        seed=settings.seed,
        resamples=settings.bootstrap_samples,
        **_settings(parts, agent.spec),
    )


def ranking_entry(parts: Parts, ranking: Evaluation) -> dict[str, Any]:
    """The entry `ranking` of result.json: `evaluation`, `policies`, the same of each group of queries, and how the log was split."""
    assert parts.log is not None

    def table(evaluation: Evaluation) -> dict[str, Any]:
        return {"evaluation": {"split": LOGGED, **evaluation.people.counts(QUERIES)}, "policies": evaluation.policies}

    groups = {name: table(group) for name, group in ranking.groups.items()}
    return {**table(ranking), "groups": groups, "log": dict(parts.log.summary)}


def _settings(parts: Parts, spec: EnvironmentSpec) -> dict[str, Any]:
    settings = parts.cfg.evaluation
    return {
        "history_length": spec.history_length,
        "signals": spec.signals,
        "ks": tuple(settings.k),
        "exclude_seen": settings.exclude_seen,
    }
