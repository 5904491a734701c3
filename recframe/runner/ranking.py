"""Evaluations of a run on its log: of the agent between epochs, and at the end of every policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.evaluation.people import LOGGED, QUERIES
from recframe.evaluation.ranking import evaluate_ranking, ranking_means
from recframe.evaluation.ranking.samples import SampleRanking, sample_rankings
from recframe.evaluation.ranking.whole_lists import whole_lists
from recframe.evaluation.results import Evaluation
from recframe.interfaces import Agent, EnvironmentSpec, Ranker
from recframe.runner.results import TRAINED

log = logging.getLogger(__name__)

SHOWN_ITEMS = 5
"""Items of a sample ranking."""


def periodic_ranking(parts: Parts, agent: Agent) -> Callable[[], dict[str, float]]:
    """The function that training on a log calls between epochs: it returns the agent's metrics on the validation part."""
    assert parts.log is not None
    queries = parts.log.validation

    def evaluate_agent() -> dict[str, float]:
        return ranking_means(agent, queries, parts.data.catalog, **_settings(parts, agent.spec))

    return evaluate_agent


def rankers_of(parts: Parts, agent: Agent) -> dict[str, Ranker]:
    """The trained policy and the references of the log, by name.

    References are fitted on training and validation: they choose nothing by the validation part, and the usual protocols give it to them.
    """
    assert parts.log is not None
    settings = parts.cfg.evaluation
    rankers: dict[str, Ranker] = {TRAINED: AgentPolicy(agent)}
    if settings.references:
        # with it comes SciPy, which a run without a log does not need
        from recframe.references.logged.references import logged_references

        log.info("fitting the references to the log")
        seed = derived_seed(settings.seed, "references")
        known, signals = parts.log.known_log(agent.spec), agent.spec.signals
        rankers |= logged_references(known, parts.data.catalog, signals=signals, exclude_seen=settings.exclude_seen, seed=seed)
    return rankers


def ranking_evaluation(
    parts: Parts, rankers: Mapping[str, Ranker], spec: EnvironmentSpec, leaves_out: Callable[[str, Exception], bool] | None = None
) -> Evaluation:
    """The metrics of every policy on the test part of the log. `leaves_out`: see `evaluate_ranking`."""
    assert parts.log is not None
    settings = parts.cfg.evaluation
    log.info("evaluating %s on %d held-out queries of the log", ", ".join(rankers), len(parts.log.test))
    num_items = len(parts.data.catalog)
    if whole := [str(k) for k in sorted(set(settings.k)) if k >= num_items]:
        log.warning("evaluation.k: there are %d items, so that lists of %s hold them all, and say nothing", num_items, _listed(whole))
    return evaluate_ranking(
        rankers,
        parts.log.test,
        parts.data.catalog,
        training=parts.log.train,
        seed=settings.seed,
        resamples=settings.bootstrap_samples,
        leaves_out=leaves_out,
        **_settings(parts, spec),
    )


def ranking_caveats(parts: Parts) -> list[str]:
    """A sentence, also logged as a warning, if lists of the test hold all items that users have not seen."""
    assert parts.log is not None
    settings, queries = parts.cfg.evaluation, parts.log.test
    counts = whole_lists(queries, len(parts.data.catalog), settings.k) if settings.exclude_seen else {}
    if not counts:
        return []
    lists = _listed([f"{k} (in {count:,} of {len(queries):,} queries)" for k, count in counts.items()])
    caveat = f"evaluation.k: lists of {lists} hold all items that are not seen yet, and so find what is asked for, whatever the policy."
    log.warning("%s", caveat)
    return [caveat]


def ranking_samples(parts: Parts, agent: Agent) -> list[SampleRanking]:
    """What the trained policy ranks first for some of the test's users, as text."""
    assert parts.log is not None
    settings = parts.cfg.evaluation
    rest = _settings(parts, agent.spec)
    k = min(SHOWN_ITEMS, max(rest.pop("ks")))
    return sample_rankings(AgentPolicy(agent), parts.log.test, parts.data, num_users=settings.sample_users, k=k, **rest)


def ranking_entry(parts: Parts, ranking: Evaluation) -> dict[str, Any]:
    """The entry `ranking` of result.json: `evaluation`, `policies`, the same of each group of queries, and how the log was split."""
    assert parts.log is not None

    def table(evaluation: Evaluation) -> dict[str, Any]:
        return {"evaluation": about_log(parts, evaluation), "policies": evaluation.policies}

    groups = {name: table(group) for name, group in ranking.groups.items()}
    return {**table(ranking), "groups": groups, "log": dict(parts.log.summary)}


def about_log(parts: Parts, ranking: Evaluation) -> dict[str, Any]:
    """The entry `evaluation` of result.json for a table of rankings: of whose queries, and how many items were ranked."""
    return {"split": LOGGED, **ranking.people.counts(QUERIES), "items": len(parts.data.catalog)}


def _listed(parts: list[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _settings(parts: Parts, spec: EnvironmentSpec) -> dict[str, Any]:
    settings = parts.cfg.evaluation
    return {
        "history_length": spec.history_length,
        "signals": spec.signals,
        "ks": tuple(settings.k),
        "exclude_seen": settings.exclude_seen,
    }
