"""The evaluations of a run: of the agent between epochs, and at the end of every policy, on all items and on cold items alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.config import ConfigError
from recframe.config.checks.monitor import unmeasured
from recframe.evaluation.agent_policy import AgentPolicy
from recframe.evaluation.people import WHOSE
from recframe.evaluation.ranking.groups import COLD_ITEMS, COLD_USERS
from recframe.evaluation.ranking.samples import SampleRanking
from recframe.evaluation.results import Evaluation
from recframe.evaluation.simulated.metrics import available_for_metrics, policy_means
from recframe.evaluation.simulated.rollout import rollout
from recframe.evaluation.simulated.samples import Recommendation, sample_recommendations
from recframe.interfaces import Agent, Environment
from recframe.metric_names import CLICK_SIGNAL
from recframe.runner.failures import attempt
from recframe.runner.off_policy import OffPolicyEvaluation, off_policy_evaluation
from recframe.runner.plugin_references import plugin_policies, plugin_rankers
from recframe.runner.ranking import about_log, rankers_of, ranking_caveats, ranking_entry, ranking_evaluation, ranking_samples
from recframe.runner.reference_results import measured, reference_results
from recframe.runner.results import TRAINED
from recframe.tracking import write_people

log = logging.getLogger(__name__)


def periodic_evaluation(parts: Parts, agent: Agent) -> Callable[[], dict[str, float]]:
    """The function that training calls between epochs: it returns the metrics of the agent, without intervals.

    It evaluates on users of the training split, so that the choice of the best checkpoint uses no user of the final table.

    Raises
    ------
    ConfigError: if the run does not measure the monitored metric.
    """
    settings = parts.cfg.evaluation
    environment = parts.environment(settings.periodic_users, "train")
    spec, catalog = environment.spec, parts.data.catalog
    available = available_for_metrics(spec.actions == "items", CLICK_SIGNAL in spec.signals, catalog)
    if problems := unmeasured(parts.cfg.trainer.monitor, available, parts.cfg.reward):
        raise ConfigError(problems)
    seed = derived_seed(settings.seed, "periodic evaluation")

    def evaluate_agent() -> dict[str, float]:
        episodes = rollout(AgentPolicy(agent), environment, parts.rewards, seed, settings.max_steps)
        return policy_means(episodes, catalog)

    return evaluate_agent


class FinalEvaluation(NamedTuple):
    """The result of the final evaluation.

    main: every policy's, in the simulator, or on the log if nothing is simulated.
    cold: the same if only cold items can be shown; None if no items were held back from a simulator.
    samples: recommendations of the trained policy as text, in the simulator.   rankings: or, if nothing is simulated, for users of the log.
    ranking: every policy's on the held-out part of the log; None if the run learned from none.
    off_policy: what that part says about the policies' rewards; None if it does not say with what probability items were shown, or if
        nothing could be estimated.
    caveats: sentences about what could not be evaluated, or says little.
    """

    main: Evaluation
    cold: Evaluation | None
    samples: list[Recommendation]
    ranking: Evaluation | None = None
    off_policy: OffPolicyEvaluation | None = None
    rankings: Sequence[SampleRanking] = ()
    caveats: Sequence[str] = ()


def final_evaluation(parts: Parts, agent: Agent) -> FinalEvaluation:
    """Evaluate the trained policy and the references, in the simulator and on the log, as far as the run has them."""
    if parts.log is None:
        return simulated_evaluation(parts, agent)
    own = rankers_of(parts, agent)
    caveats: list[str] = []
    offered = plugin_rankers(parts, agent.spec, own, caveats)
    ranking = ranking_evaluation(parts, {**own, **offered.policies}, agent.spec, offered.failed)
    caveats += ranking_caveats(parts)
    # without those that failed
    rankers = {**own, **offered.policies}
    off_policy = attempt("The policies' values from logged decisions", lambda: off_policy_evaluation(parts, rankers, agent.spec), caveats)
    final = simulated_evaluation(parts, agent) if parts.simulates else FinalEvaluation(ranking, None, [])
    if not parts.simulates and parts.cfg.evaluation.sample_users:
        final = final._replace(rankings=ranking_samples(parts, agent))
    return final._replace(ranking=ranking, off_policy=off_policy, caveats=[*final.caveats, *caveats])


def simulated_evaluation(parts: Parts, agent: Agent) -> FinalEvaluation:
    """Evaluate the trained policy and the references on the people of `evaluation.people`, and sample some recommendations as text."""
    settings = parts.cfg.evaluation
    references = reference_results(parts) if settings.references else None
    own = {TRAINED: AgentPolicy(agent)}
    taken = [*own, *(references.main.policies if references else ())]
    caveats = [*references.warnings] if references else []
    offered = plugin_policies(parts, taken, caveats)
    environment = parts.evaluation_environment()
    log.info("evaluating %s in %d sessions of %s", ", ".join([*own, *offered.policies]), settings.num_users, WHOSE[settings.people])

    def compared(where: Environment, others: Evaluation | None, restricted: Callable[[Environment], Environment]) -> Evaluation:
        table = measured(parts, own, where)
        if offered.policies:
            seen = parts.for_references()
            # a plugin's policy that failed before is not asked again
            there = where if seen is parts else restricted(seen.evaluation_environment())
            theirs = measured(seen, dict(offered.policies), there, offered.failed)
            # where all of them failed, nobody was met
            table = table.with_policies(theirs if theirs.policies else None, after=TRAINED)
        return table.with_policies(others, after=TRAINED)

    everything = compared(environment, references.main if references else None, lambda whole: whole)
    cold: Evaluation | None = None
    if parts.cold_items is not None:
        # with the same users and the same random draws
        alone = parts.cold_items.alone_in
        cold = compared(alone(parts.evaluation_environment()), references.cold if references else None, alone)
    samples: list[Recommendation] = []
    if settings.sample_users and environment.spec.actions == "items":
        samples = sample_recommendations(
            own[TRAINED],
            environment,
            parts.rewards,
            parts.data,
            seed=settings.seed,
            num_users=settings.sample_users,
            num_turns=settings.sample_steps,
        )
    return FinalEvaluation(everything, cold, samples, caveats=caveats)


def result_entries(parts: Parts, final: FinalEvaluation, caveats: Sequence[str]) -> dict[str, Any]:
    """The entries of result.json about the final evaluation: `evaluation` and `policies`, and where there are any `caveats`, `cold_items`,
    `ranking` and `off_policy`.

    caveats: those of the environment.
    """
    about = _about_sessions(parts, final.main) if parts.simulates else about_log(parts, final.main)
    entries: dict[str, Any] = {"evaluation": about, "policies": final.main.policies}
    if said := [*caveats, *final.caveats]:
        entries["caveats"] = said
    if parts.cold_items is not None and final.cold is not None:
        items = parts.cold_items.drawn_from(parts.data.catalog.first_question)
        entries["cold_items"] = {"share": parts.cold_items.share, "items": len(items), "policies": final.cold.policies}
    if final.ranking is not None:
        entries["ranking"] = ranking_entry(parts, final.ranking)
    if final.off_policy is not None:
        entries["off_policy"] = final.off_policy.entry()
    return entries


def _about_sessions(parts: Parts, main: Evaluation) -> dict[str, Any]:
    about: dict[str, Any] = {"split": parts.cfg.evaluation.people, **main.people.counts()}
    if len(parts.data.catalog):
        # where nothing else is said, reference policies read as much as the agent, so that this setting of the agent is one of theirs
        about["history_length"] = parts.history_length
        if (seen := parts.for_references()) is not parts:
            about["reference_history_length"] = seen.history_length
    return about


def record_people(folder: Path, final: FinalEvaluation) -> None:
    """Write each person's sums behind the tables of `result_entries` to `people.npz`, for intervals and comparisons over several runs."""
    tables = {"policies": final.main, "cold_items": final.cold}
    own = {} if final.ranking is None else {f"ranking.{name}": final.ranking.groups.get(name) for name in (COLD_ITEMS, COLD_USERS)}
    if final.ranking is not final.main:
        own["ranking"] = final.ranking
    sums = {name: evaluation.sums for name, evaluation in (tables | own).items() if evaluation is not None}
    ids = {name: evaluation.people.ids for name, evaluation in own.items() if evaluation is not None}
    write_people(folder, final.main.people.ids, sums, ids)
