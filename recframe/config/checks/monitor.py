"""Checks that a run measures the metric that it monitors."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from recframe.components import Component
from recframe.metric_names import CLICK_SIGNAL, CLICKS, ITEMS, METRICS, QUESTIONS, TEXTS, better_direction, measured_metrics
from recframe.plugin_loader import suggestion

NEEDS = {
    CLICKS: f"an environment with the signal {CLICK_SIGNAL!r}",
    ITEMS: "actions that are items",
    TEXTS: "texts that are read",
    QUESTIONS: "users who answer questions",
}


def monitor_problems(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """The problem with `trainer.monitor`, if the components and their settings show that the run does not measure it."""
    if "simulated" not in values["stages"]:
        return []  # logged.monitor is used
    # for metrics that need neither items nor texts, the check is not worth making a Gymnasium environment
    monitor, reward_terms = values["trainer"]["monitor"], values["reward"]
    if monitor in measured_metrics((), reward_terms):
        return []
    return unmeasured(monitor, available(values, chosen), reward_terms)


def direction_problems(values: Mapping[str, Any], chooses: bool = True) -> list[str]:
    """The problem of a new run that would take the largest value of a metric for the best, while its smaller values are better.

    chooses: whether the agent trains, so that there are weights to choose from.
    """
    problems = []
    for section, stage in (("trainer", "simulated"), ("logged", "logged")):
        monitor, mode = values[section]["monitor"], values[section]["monitor_mode"]
        if stage in values["stages"] and mode == "max" and isinstance(monitor, str) and better_direction(monitor) == "min":
            by_metric = chooses and (values["trainer"]["final_weights"] == "best" or values[section]["patience"] is not None)
            harm = "the worst weights are kept" if by_metric else "lists of runs have the worst first"
            problems.append(f"{section}.monitor={monitor}: lower is better; set {section}.monitor_mode=min, or {harm}")
    return problems


def unmeasured(monitor: str, available: Collection[str], reward_terms: Iterable[str]) -> list[str]:
    """The problem if `monitor` is not measured in a run with these reward terms in which `available` of the metrics' needs exist."""
    measured = measured_metrics(available, reward_terms)
    if monitor in measured:
        return []
    missing = [NEEDS[need] for metric in METRICS if metric.name == monitor for need in sorted(metric.needs - set(available))]
    reason = f", because it needs {' and '.join(missing)}" if missing else ""
    return [f"trainer.monitor: {monitor!r} is not measured{reason}{suggestion(monitor, measured)}"]


def available(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> set[str]:
    """What the metrics of a run can be computed from. Anything that is unknown before the run starts is assumed to exist."""
    environment = chosen.get("environment")
    if environment is None:
        return {CLICKS, ITEMS, TEXTS, QUESTIONS}
    settings = values["environment"]
    available = {CLICKS} if f"signal:{CLICK_SIGNAL}" in environment.given(settings) else set()
    if "questions" in environment.given(settings):
        available.add(QUESTIONS)
    if _actions(environment, settings) != "continuous":
        available.add(ITEMS)
    # metrics read with the world's encoder; the items of an environment's own come with vectors
    encoder = "encoder" if values.get("world_encoder") is None else "world_encoder"
    if "catalog" in environment.provides or _reads_texts(encoder, chosen):
        available.add(TEXTS)
    return available


def _actions(environment: Component, settings: Mapping[str, Any]) -> str | None:
    """The kind of the environment's actions, "items" or "continuous"; None if only the built environment knows it."""
    kinds = sorted(tag.removeprefix("actions:") for tag in environment.given(settings) if tag.startswith("actions:"))
    if len(kinds) == 1:
        return kinds[0]
    known = {field.name: settings[field.name] for field in dataclasses.fields(environment.config) if field.name in settings}
    action_kind = getattr(environment.config(**known), "action_kind", None)
    return action_kind() if callable(action_kind) else None


def _reads_texts(key: str, chosen: Mapping[str, Component]) -> bool:
    """Whether the encoder at `key` reads texts; one that is made of others does if one of them does."""
    parts = [section for section in chosen if section.startswith(f"{key}.")]
    if not parts:
        return key not in chosen or "no_texts" not in chosen[key].provides
    return any(_reads_texts(part, chosen) for part in parts)
