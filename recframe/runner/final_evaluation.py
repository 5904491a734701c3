"""What a run measures: the agent between epochs, and in the end every policy, on all items and on those held back in training."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from recframe.building.parts import Parts, derived_seed
from recframe.evaluation.simulated.agent_policy import AgentPolicy
from recframe.evaluation.simulated.evaluate import Recommendation, sample_recommendations
from recframe.evaluation.simulated.evaluate import evaluate as evaluate_policies
from recframe.evaluation.simulated.metrics import Metrics
from recframe.interfaces import Agent, Environment
from recframe.references.references import Tuning, reference_policies

log = logging.getLogger(__name__)

TRAINED = "trained"


def point_estimates(policy: AgentPolicy, environment: Environment, parts: Parts, seed: int) -> dict[str, float]:
    """The metrics of a policy without intervals."""
    max_steps = parts.cfg.evaluation.max_steps
    measured = evaluate_policies(
        {TRAINED: policy}, environment, parts.rewards, parts.data.catalog, seed=seed, max_steps=max_steps, resamples=100
    )
    return {name: value["mean"] for name, value in measured[TRAINED].items()}


class FinalEvaluation(NamedTuple):
    """What is measured in the end.

    policies: the metrics of every policy.   cold: the same where nothing but cold items may be shown, or None: there are none.
    samples: recommendations of the trained policy as text.
    """

    policies: dict[str, Metrics]
    cold: dict[str, Metrics] | None
    samples: list[Recommendation]


def final_evaluation(parts: Parts, agent: Agent) -> FinalEvaluation:
    """The trained policy and the references on people never met in training, and some recommendations as text."""
    settings = parts.cfg.evaluation
    environment = parts.environment(settings.num_users, "evaluation")
    policies: dict[str, Any] = {TRAINED: AgentPolicy(agent)}
    if settings.references:
        log.info("fitting the reference policies")
        tuning = Tuning(log_sessions=2 * settings.tuning_sessions, sessions=settings.tuning_sessions)
        tuning_users = parts.environment(settings.tuning_sessions, "train")
        seed = derived_seed(settings.seed, "references")
        policies |= reference_policies(tuning_users, parts.rewards, parts.data, max_steps=settings.max_steps, seed=seed, tuning=tuning)
    log.info("evaluating %s on %d users", ", ".join(policies), settings.num_users)

    def measured(where: Environment) -> dict[str, Metrics]:
        return evaluate_policies(
            policies,
            where,
            parts.rewards,
            parts.data.catalog,
            seed=settings.seed,
            max_steps=settings.max_steps,
            resamples=settings.bootstrap_samples,
        )

    metrics = measured(environment)
    # the same people and the same luck
    cold = None
    if parts.cold_items is not None:
        cold = measured(parts.cold_items.alone_in(parts.environment(settings.num_users, "evaluation")))
    samples: list[Recommendation] = []
    if settings.sample_users and environment.spec.actions == "items":
        samples = sample_recommendations(
            policies[TRAINED],
            environment,
            parts.rewards,
            parts.data,
            seed=settings.seed,
            num_users=settings.sample_users,
            num_turns=settings.sample_steps,
        )
    return FinalEvaluation(metrics, cold, samples)


def result_entries(parts: Parts, policies: dict[str, Metrics], cold: dict[str, Metrics] | None) -> dict[str, Any]:
    """What result.json has to say of the final evaluation: `policies`, and `cold_items` where items were held back."""
    entries: dict[str, Any] = {"policies": policies}
    if parts.cold_items is not None:
        items = parts.cold_items.drawn_from(len(parts.data.catalog))
        entries["cold_items"] = {"share": parts.cold_items.share, "items": len(items), "policies": cold}
    return entries
