"""The rule that the components of a run fit together: what one requires, another part must provide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recframe.components import TAGS, Component, Kind
from recframe.components.tags import condition_parts, holds
from recframe.config.app import Composed
from recframe.config.checks.sections import section_at
from recframe.config.checks.stages import experience_given
from recframe.plugin_loader import registry, suggestion

KNOWN_WHEN_LOADED = {"signal:": "signal:*", "attribute:": "attribute:*"}
"""Families of tags of which only the loaded data says which there are, and the tag of a part that gives what it finds there."""


def check_pairings(composed: Composed) -> list[str]:
    """The requirements that no other part of the run meets."""
    values, chosen = composed.values, composed.components
    problems: list[str] = []
    unknown = {kind.value for kind in Kind if kind is not Kind.REWARD and values.get(kind) is not None and kind not in chosen}
    environment, agent = chosen.get("environment"), chosen.get("agent")
    # a dataset gives nothing if the environment brings its own items
    replaced = environment is not None and "catalog" in environment.provides
    giving = {key: component for key, component in chosen.items() if not (replaced and key == "dataset")}
    given = {key: component.given(section_at(values, key)) for key, component in giving.items()} | {"labels": _label_tags(values)}
    for key, component in chosen.items():
        others = {tag for other, tags in given.items() if other != key for tag in tags} | experience_given(values)
        required = sorted(component.required(section_at(values, key)))
        unmet = [tag for tag in required if not others & set(tag.split("|"))]
        # an unknown component is reported by itself, and nobody knows what it gives
        unmet = [tag for tag in unmet if _giver(tag, composed, giving) not in unknown]
        unmet = [tag for tag in unmet if not any(tag.startswith(family) and some in others for family, some in KNOWN_WHEN_LOADED.items())]
        problems += [
            f"{needing} needs {_in_words(tag)}, {_lacking(tag, composed, giving, given)}"
            for tag in unmet
            for needing in _needing(key, tag, composed)
        ]
    slate_size = values["environment"].get("slate_size", 1) if isinstance(values["environment"], Mapping) else 1
    if environment and agent and isinstance(slate_size, int) and slate_size > 1:
        problems += [
            f"environment.slate_size={slate_size}: {composed.called(key)} cannot {verb} slates of more than one item; "
            f"use slate_size=1, or one that can: {', '.join(_that_can(component.kind, 'slates'))}"
            for key, component, verb in (("agent", agent, "show"), ("environment", environment, "answer"))
            if "slates" not in component.provides
        ]
    if environment and agent and "questions" in given.get("environment", ()) and "clicks_alone" in agent.provides:
        problems.append(
            f"environment.questions: {composed.called('agent')} learns from clicks, and a question has none, so that it would learn "
            "neither when to ask nor what people click; use environment.questions=[], or an agent that learns from rewards, such as dqn "
            "for single items or reinforce for slates"
        )
    return problems


def _that_can(kind: Kind, tag: str) -> list[str]:
    return [registered.component.name for registered in registry().components(kind) if tag in registered.component.provides]


def _needing(key: str, tag: str, composed: Composed) -> list[str]:
    """What needs a tag: the component, or its settings for a stage or with one value."""
    settings = section_at(composed.values, key)
    conditions = [condition for name, _, condition in (one.partition("?") for one in composed.components[key].requires) if name == tag]
    named = [condition_parts(condition)[:2] for condition in conditions if condition and holds(condition, settings)]
    named = [(setting, sign) for setting, sign in named if sign or tag.startswith("stage:")]
    return sorted(f"{key}.{setting}={settings[setting]}" for setting, _ in named) or [composed.called(key)]


def _in_words(tag: str) -> str:
    words = []
    for alternative in tag.split("|"):
        family, _, name = alternative.partition(":")
        meaning = TAGS.get(alternative) or (f"{TAGS[family + ':'].replace('of that name', repr(name))}" if f"{family}:" in TAGS else "")
        words.append(meaning or f"{alternative!r}")
    return " or ".join(words)


def _label_tags(values: Mapping[str, Any]) -> set[str]:
    """A tag for each label that the `labels` section defines, such as "label:sentiment=positive"."""
    return {f"label:{name}={label}" for name, settings in values["labels"].items() for label in settings["prototypes"]}


def _lacking(tag: str, composed: Composed, chosen: Mapping[str, Component], provided: Mapping[str, set[str]]) -> str:
    """The part that could provide the tag, and what it provides instead."""
    family = tag.partition(":")[0]
    if family == "label":
        wanted, known = tag.removeprefix("label:"), sorted(given.removeprefix("label:") for given in provided["labels"])
        return f"which labels does not define{suggestion(wanted, known) if known else ' (it is empty; add labels=[sentiment])'}"
    giver = _giver(tag, composed, chosen)
    if family in ("experience", "stage"):
        stages = ",".join(map(str, composed.values["stages"]))
        given = sorted(tag.removeprefix(f"{family}:") for tag in experience_given(composed.values) if tag.startswith(f"{family}:"))
        return f"which stages=[{stages}] does not give (it gives: {', '.join(given)})"
    component = chosen.get(giver)
    if component is None:
        return "which nothing here gives"
    # of several settings that give it, a plain one is named
    hiding = [given for given in component.provides if given.partition("?")[0] == tag and "?" in given]
    hidden = min(hiding, key=lambda given: ("=" in given, given), default=None)
    if hidden:
        setting, _, bound = condition_parts(hidden.partition("?")[2])
        default = getattr(component.config(), setting)
        value = (
            "true"
            if isinstance(default, bool)
            else "[...]"
            if isinstance(default, list)
            else f"..., a number above {bound or 0}"
            if isinstance(default, int | float)
            else "..."
        )
        return f"which {composed.called(giver)} gives with {giver}.{setting}={value}"
    prefix = f"{family}:" if ":" in tag else ""
    given = sorted(t.removeprefix(prefix) for t in provided[giver] if t.startswith(prefix))
    return f"which {composed.called(giver)} does not give (it gives: {', '.join(given) or 'none'})"


def _giver(tag: str, composed: Composed, giving: Mapping[str, Component]) -> str:
    """The kind of the part that would give the tag."""
    family = tag.partition(":")[0]
    if family == "bidirectional":
        return "state_tracker"
    # a dataset that was replaced by the environment's own items gives nothing
    replaced = "dataset" not in giving and ("dataset" in composed.components or composed.values.get("dataset") is None)
    return (
        "environment"
        if family in ("signal", "actions", "features", "truth", "context", "says", "groups", "questions") or replaced
        else "dataset"
    )
