"""The results of the reference policies, which runs of one world share: they do not depend on the agent or on the run's seed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recframe.building.computed import world_of
from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.computed import Computed
from recframe.evaluation.people import People, PersonSums
from recframe.evaluation.results import Evaluation
from recframe.evaluation.simulated.evaluation import evaluate_policies
from recframe.evaluation.simulated.rollout import AnyPolicy
from recframe.interfaces import Environment
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.runner.reference_caveats import lists_worse_than_others

log = logging.getLogger(__name__)

WHAT = "results of the reference policies"


class ReferenceResults(NamedTuple):
    """The evaluations of the reference policies: on all items, and if only cold items can be shown (None: the run holds none back).

    warnings: sentences about references that are poorer than they should be, in training and in the main table.
    """

    main: Evaluation
    cold: Evaluation | None
    warnings: tuple[str, ...] = ()


def reference_results(parts: Parts) -> ReferenceResults:
    """Fit and evaluate the reference policies, or take their results from another run of the same world (`Parts.results`)."""

    def compute() -> Computed:
        warnings: list[str] = []
        return _as_computed(_evaluated(parts.for_references(), warnings), warnings)

    if (store := parts.results) is None:
        computed = compute()
    else:
        settings = parts.cfg.evaluation
        names = ("num_users", "people", "seed", "max_steps", "reference_history_length", "tuning_sessions", "bootstrap_samples")
        key = {"world": world_of(parts.cfg, parts.data), "evaluation": {name: settings[name] for name in names}}
        computed = store.get(WHAT, key, compute)
    results = _from_computed(computed)
    results = results._replace(warnings=(*computed.values["warnings"], *lists_worse_than_others(results.main)))
    for warning in results.warnings:
        log.warning("%s", warning)
    return results


def _evaluated(parts: Parts, warnings: list[str]) -> ReferenceResults:
    policies = _fitted(parts, warnings)
    log.info("evaluating %s in %d sessions", ", ".join(policies), parts.cfg.evaluation.num_users)
    main = measured(parts, policies, parts.evaluation_environment())
    cold = None if parts.cold_items is None else measured(parts, policies, parts.cold_items.alone_in(parts.evaluation_environment()))
    return ReferenceResults(main, cold)


def measured(
    parts: Parts, policies: Mapping[str, AnyPolicy], where: Environment, leaves_out: Callable[[str, Exception], bool] | None = None
) -> Evaluation:
    """The run's final evaluation of some policies; `leaves_out` as for `evaluate_policies`."""
    settings = parts.cfg.evaluation
    return evaluate_policies(
        policies,
        where,
        parts.rewards,
        parts.data.catalog,
        seed=settings.seed,
        max_steps=settings.max_steps,
        resamples=settings.bootstrap_samples,
        leaves_out=leaves_out,
    )


def _fitted(parts: Parts, warnings: list[str]) -> dict[str, AnyPolicy]:
    settings = parts.cfg.evaluation
    log.info("fitting the reference policies")
    budget = ReferenceBudget(log_sessions=2 * settings.tuning_sessions, sessions=settings.tuning_sessions)
    tuning_users = parts.environment(settings.tuning_sessions, "train")
    seed = derived_seed(settings.seed, "references")
    known = parts.without_cold_items(parts.data)
    return reference_policies(
        tuning_users, parts.rewards, known, max_steps=settings.max_steps, seed=seed, budget=budget, warn=warnings.append
    )


def _as_computed(results: ReferenceResults, warnings: list[str]) -> Computed:
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {"warnings": warnings}
    for table, evaluation in (("main", results.main), ("cold", results.cold)):
        if evaluation is None:
            continue
        arrays = {"ids": evaluation.people.ids, "of_session": evaluation.people.of_session}
        for policy, sums in evaluation.sums.items():
            arrays |= {f"{policy}/numerators": sums.numerators, f"{policy}/denominators": sums.denominators}
        tensors |= {f"{table}/{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        values[table] = {policy: [metrics, evaluation.sums[policy].names] for policy, metrics in evaluation.policies.items()}
    return Computed(tensors, values)


def _from_computed(computed: Computed) -> ReferenceResults:
    def table(name: str) -> Evaluation:
        arrays = {key.removeprefix(f"{name}/"): tensor.numpy() for key, tensor in computed.tensors.items() if key.startswith(f"{name}/")}
        policies = computed.values[name]
        sums = {
            policy: PersonSums(tuple(names), arrays[f"{policy}/numerators"], arrays[f"{policy}/denominators"])
            for policy, (_, names) in policies.items()
        }
        people = People(arrays["ids"], arrays["of_session"])
        return Evaluation({policy: metrics for policy, (metrics, _) in policies.items()}, people, sums)

    return ReferenceResults(table("main"), table("cold") if "cold" in computed.values else None)
