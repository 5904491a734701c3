"""The rules for the prior over candidates: an agent that adds it to its scores, and candidates whose titles a model can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recframe.agent_options import PriorConfig
from recframe.components import Kind, contradictions
from recframe.config.app import Composed
from recframe.config.checks.sections import check_fields
from recframe.config.checks.stages import LOGGED
from recframe.plugin_loader import registry


def prior_problems(composed: Composed) -> list[str]:
    """The problems of the section `prior`, and of what it needs of other sections."""
    settings = composed.values["prior"]
    if check_fields("prior.", settings, PriorConfig):
        return []
    lines = contradictions(PriorConfig(**settings))
    return lines if settings["model"] is None else [*lines, *_needs(composed)]


def _needs(composed: Composed) -> Iterator[str]:
    values, agent, environment = composed.values, composed.components.get("agent"), composed.components.get("environment")
    if agent is not None and "prior" not in agent.provides:
        others = [one.component.name for one in registry().components(Kind.AGENT) if "prior" in one.component.provides]
        called = composed.called("agent")
        yield f"prior.model: {called} adds no prior to scores of items; use agent={', '.join(others)}, or set it to null"
    length, read = _of(values["state_tracker"], "history_length"), values["prior"]["history_items"]
    if isinstance(length, int) and read is not None and read > length:
        yield f"prior.history_items={read} is more than state_tracker.history_length={length}, the items that an observation has; lower it"
    if LOGGED in values["stages"]:
        yield "prior.model: a log has no candidates to have a prior over; use stages=[simulated], or set it to null"
    elif environment is not None and "catalog" in environment.provides:
        called = composed.called("environment")
        yield f"prior.model: {called} brings its own items, so that there are no titles to read; set it to null"
    elif environment is not None and _of(values["environment"], "num_candidates") == 0:
        called = composed.called("environment")
        yield (
            f"prior.model: the prior is over candidates, and {called} has none; set environment.num_candidates to the number of items "
            "that may be shown in a step, such as 20, or prior.model to null"
        )


def _of(section: Any, name: str) -> Any:
    """A setting of a section; None if it has none, or is no section."""
    return section.get(name) if isinstance(section, Mapping) else None
