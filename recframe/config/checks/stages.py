"""The rules for the stages of a run: what is learned from, the log of the dataset or the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from recframe.components import Component, Kind, contradictions
from recframe.config.app import Composed
from recframe.config.checks.monitor import available
from recframe.log_settings import LogSettings, SplitSettings
from recframe.metric_names import default_monitor, ranking_metrics
from recframe.plugin_loader import registry, suggestion

LOGGED, SIMULATED = "logged", "simulated"
STAGES = (LOGGED, SIMULATED)
SECTIONS = {"logs": LogSettings, "split": SplitSettings}
"""Sections about the data that only a run with a logged stage reads. (`logged` is like `trainer`: presets set it for either case.)"""


def experience_given(values: Mapping[str, Any]) -> frozenset[str]:
    """The tags of the stages, and of the experience that each of them gives: only replay is given by a log and by a simulator."""
    stages = frozenset(f"stage:{stage}" for stage in values["stages"])
    match values["stages"]:
        case [single] if single == LOGGED:
            return stages | {"experience:replay", "experience:sequences", "experience:log"}
        case [single] if single == SIMULATED:
            return stages | {"experience:replay", "experience:rollout"}
        case _:
            return stages | {"experience:replay"}


def stage_problems(composed: Composed) -> list[str]:
    """The problems of `stages`, and of the sections that belong to them."""
    values, stages = composed.values, composed.values["stages"]
    if not stages or list(stages) != [stage for stage in STAGES if stage in stages]:
        return [f"stages={_listed(stages)}: use stages=[logged], stages=[simulated] or stages=[logged,simulated]"]
    problems = list(_simulator_problems(stages, composed))
    return problems + (list(_log_problems(composed)) if LOGGED in stages else list(_useless_sections(values)))


def _simulator_problems(stages: list[str], composed: Composed) -> Iterator[str]:
    environment = composed.components.get("environment")
    if environment is not None and "no_simulator" in environment.provides and stages != [LOGGED]:
        called = composed.called("environment")
        yield f"{called} simulates nobody, but stages={_listed(stages)} has a simulated stage; use stages=[logged]"


def _log_problems(composed: Composed) -> Iterator[str]:
    values, chosen = composed.values, composed.components
    dataset, agent, environment = (chosen.get(key) for key in ("dataset", "agent", "environment"))
    if environment is not None and "catalog" in environment.provides:
        yield f"stages: {composed.called('environment')} brings its own items, for which there is no log; use stages=[simulated]"
    elif values["logged"]["simulated_steps"] is not None:
        yield from _simulated_log_problems(composed)
    elif dataset is not None and "interactions" not in dataset.given(values["dataset"]):
        others = f"those that have: {_names(Kind.DATASET, 'interactions')}; or logged.simulated_steps=50000 makes one in a simulator"
        yield f"stages: {composed.called('dataset')} has no log to learn from; {others}"
    if agent is not None and "ranks" not in agent.provides:
        called = composed.called("agent")
        yield f"stages: {called} cannot be evaluated on a log, as it ranks no items; those that do: {_names(Kind.AGENT, 'ranks')}"
    slate_size = values["environment"].get("slate_size", 1) if isinstance(values["environment"], Mapping) else 1
    if isinstance(slate_size, int) and slate_size > 1:
        yield f"environment.slate_size={slate_size}: a log has one item a turn; set it to 1, or use stages=[simulated]"
    if environment is not None and "questions" in environment.given(values["environment"]):
        yield "environment.questions: in a log nobody was asked anything; use stages=[simulated], or environment.questions=[]"
    monitor, ks = values["logged"]["monitor"], values["evaluation"]["k"]
    measured = _measured(values, chosen)
    # lengths that cannot be are a mistake of their own
    if monitor is not None and monitor not in measured and ks and min(ks) > 0 and not in_closed_form(chosen):
        yield f"logged.monitor: {monitor!r} is not measured on a log with evaluation.k={_listed(ks)}{suggestion(monitor, measured)}"
    yield from contradictions(SplitSettings(**values["split"]))
    if not ks:
        yield "evaluation.k: name at least one length of the lists that are measured, such as [10]"


def _simulated_log_problems(composed: Composed) -> Iterator[str]:
    """What a log from the simulator cannot be."""
    values, environment = composed.values, composed.components.get("environment")
    if environment is not None and "no_simulator" in environment.provides:
        called = composed.called("environment")
        yield f"logged.simulated_steps: {called} simulates nobody; leave it at null, for the log of the dataset"
    for name in ("min_user_interactions", "min_item_interactions"):
        if values["split"][name]:
            yield f"split.{name}: the people and items of a simulator cannot be dropped; leave it at 0 with logged.simulated_steps"


def monitored_on_log(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> str:
    """The metric that the logged stage of a valid config monitors: the one that is named, or else the default for `evaluation.k`.

    An agent that learns in closed form has nothing to select, so that a metric that is not measured is no mistake; it has the default.
    """
    monitor: str | None = values["logged"]["monitor"]
    if monitor is None or (in_closed_form(chosen) and monitor not in _measured(values, chosen)):
        return default_monitor(values["evaluation"]["k"])
    return monitor


def _measured(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    return ranking_metrics(values["evaluation"]["k"], available(values, chosen))


def in_closed_form(chosen: Mapping[str, Component]) -> bool:
    """Whether the agent learns from the whole log at once, or from nothing: its training has no evaluations to choose from."""
    agent = chosen.get("agent")
    return agent is not None and {tag for tag in agent.requires if tag.startswith("experience:")} <= {"experience:log"}


def learns_at_once(chosen: Mapping[str, Component]) -> bool:
    """Whether the agent learns from the whole log in one go."""
    agent = chosen.get("agent")
    return agent is not None and {tag for tag in agent.requires if tag.startswith("experience:")} == {"experience:log"}


def _useless_sections(values: Mapping[str, Any]) -> Iterator[str]:
    """Settings that concern logs, in a run that learns from none."""
    for section, schema in SECTIONS.items():
        defaults = schema()
        for field in fields(schema):
            if values[section][field.name] != getattr(defaults, field.name):
                yield f"{section}.{field.name}: this run learns from no log; use stages=[logged], or leave the setting at its default"


def _names(kind: Kind, tag: str) -> str:
    found = [registered.component.name for registered in registry().components(kind) if tag in registered.component.provides]
    return ", ".join(found) or "none"


def _listed(values: Any) -> str:
    return f"[{','.join(map(str, values))}]"
