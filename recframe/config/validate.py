"""Checking a composed config before anything heavy starts: names, bounds, and pairings that cannot work."""

from __future__ import annotations

import dataclasses
import math
import operator
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.components import TAGS, Component, Kind, contradictions, describe_bounds, nested_sections, node
from recframe.config.machine import device_problem, folder_problem
from recframe.config.problems import ConfigError
from recframe.config.schemas import RunConfig
from recframe.config.store import LOGGERS
from recframe.plugins import Registry, UnknownComponent, suggestion

# what the core itself gives to every run
CORE_PROVIDES = frozenset({"experience:replay", "experience:rollout"})
# what is measured of every policy, beside each reward's own `reward/NAME`
METRICS = ("return", "length", "click_rate", "coverage", "diversity", "novelty", "gini")
# sections that hold a component of a kind beside the kind's own, or null
OTHER_PLACES = {"world_encoder": Kind.ENCODER}
SIGNS = {"ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt}


def validate(cfg: DictConfig, registry: Registry) -> DictConfig:
    """`cfg` in this process's types, if it can run.

    A config read back from YAML has lost its types, and one that a sweep's launcher sent to another process has types of that process.

    Raises
    ------
    ConfigError: with every problem, one line each.
    """
    plain = OmegaConf.create(OmegaConf.to_container(cfg))
    typed, problems = _merged("", OmegaConf.structured(RunConfig), plain)
    if typed is None:
        raise ConfigError(problems)
    values: Any = OmegaConf.to_container(typed)
    for key, component in _chosen_components(values, registry)[0].items():
        section, wrong = _merged(f"{key}.", OmegaConf.structured(node(component)), OmegaConf.select(typed, key))
        problems += wrong
        if section is not None:
            OmegaConf.update(typed, key, section, merge=False)
    problems = problems or find_problems(typed, registry)
    if problems:
        raise ConfigError(problems)
    return typed


def _merged(prefix: str, schema: DictConfig, values: Any) -> tuple[DictConfig | None, list[str]]:
    """`values` in the types of `schema`, or what is wrong with them."""
    try:
        merged = OmegaConf.merge(schema, values)
    except OmegaConfBaseException as error:
        return None, [f"{prefix}{getattr(error, 'full_key', '') or 'config'}: {str(error).splitlines()[0]}"]
    assert isinstance(merged, DictConfig)
    return merged, []


def find_problems(cfg: DictConfig, registry: Registry) -> list[str]:
    """One line for each thing that keeps `cfg` from running."""
    values: Any
    try:
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        return [f"{getattr(error, 'full_key', '') or 'config'}: {str(error).splitlines()[0]}"]
    chosen, problems = _chosen_components(values, registry)
    problems += _check_fields("", values, RunConfig)
    for key, component in chosen.items():
        wrong = _check_fields(f"{key}.", _at(values, key), node(component))
        problems += wrong or _contradictions(key, component, _at(values, key))
    for name, settings in values["logger"].items():
        if name in LOGGERS:
            problems += _check_fields(f"logger.{name}.", settings, LOGGERS[name])
        else:
            problems.append(f"logger.{name}: there is no such logger{suggestion(name, list(LOGGERS))}")
    problems += [problem] if (problem := device_problem(values["device"])) else []
    problems += [problem] if (problem := folder_problem("embeddings.cache", values["embeddings"]["cache"])) else []
    problems += _check_pairings(values, chosen, registry) + _check_sizes(values) + _check_monitor(values, chosen)
    return problems + _check_auxiliary(values, chosen) + _check_tuning(values)


def _at(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    for part in key.split("."):
        values = values[part]
    return values


def _chosen_components(values: Mapping[str, Any], registry: Registry) -> tuple[dict[str, Component], list[str]]:
    """The run's components by config key ("agent", "reward.click", "encoder.parts.words"), and what is wrong with the choice.

    A component stands before those inside it.
    """
    chosen: dict[str, Component] = {}
    problems = []
    sections = {str(kind): values[kind] for kind in Kind if kind is not Kind.REWARD}
    sections |= {f"reward.{name}": section for name, section in values["reward"].items()}
    sections |= {key: values[key] for key in OTHER_PLACES if values[key] is not None}
    if not values["reward"]:
        problems.append(f"reward: at least one is needed, such as reward=[click]. There are: {', '.join(registry.names(Kind.REWARD))}")
    waiting = [(key, OTHER_PLACES.get(key) or Kind(key.partition(".")[0]), section) for key, section in sections.items()]
    while waiting:
        key, kind, section = waiting.pop(0)
        if not isinstance(section, Mapping) or "name" not in section:
            place = f"{'' if key in sections else '+'}{kind}@{key}" if key in OTHER_PLACES or key not in sections else kind
            problems.append(f"{key}: choose one of {', '.join(registry.names(kind))}, as {place}=NAME")
            continue
        try:
            chosen[key] = registry.get(kind, section["name"])
        except UnknownComponent as error:
            problems.append(f"{key}: {error}")
            continue
        waiting += [(f"{key}.{inner}", kind, nested) for inner, nested in nested_sections(chosen[key].config, section)]
    return chosen, problems


def _check_fields(prefix: str, values: Mapping[str, Any], schema: type) -> list[str]:
    """Bounds, choices, paths and missing values of one dataclass's fields, nested dataclasses included."""
    known = [field.name for field in dataclasses.fields(schema)]
    # only `+key=value` or a hand-edited file gets this far with a key that nothing reads
    problems = [f"{prefix}{key}: there is no such setting{suggestion(key, known)}" for key in values if key not in known]
    for field in dataclasses.fields(schema):
        value = values.get(field.name)
        key = f"{prefix}{field.name}"
        if isinstance(value, Mapping) and dataclasses.is_dataclass(field.type):
            problems += _check_fields(f"{key}.", value, field.type)  # type: ignore[arg-type]
        elif value == "???":
            if field.name not in list(Kind):
                problems.append(f"{key} is required: {field.metadata.get('help') or 'it has no default'} (add {key}=...)")
        else:
            problems += [f"{key}: {problem}" for problem in _check_value(value, field.metadata)]
    return problems


def _contradictions(key: str, component: Component, settings: Mapping[str, Any]) -> list[str]:
    known = {field.name: settings[field.name] for field in dataclasses.fields(component.config) if field.name in settings}
    lines = contradictions(component.config(**known))
    # a component inside another speaks of its settings as if it stood alone
    nested = component.kind is not Kind.REWARD and key != component.kind
    return [re.sub(rf"(?<![\w.]){component.kind}\.(?=\w)", f"{key}.", line) for line in lines] if nested else lines


def _check_value(value: Any, metadata: Mapping[str, Any]) -> Iterator[str]:
    for entry in value if isinstance(value, list) else [value]:
        if entry is None:
            continue
        if isinstance(entry, float) and not math.isfinite(entry):
            yield f"{entry} is not allowed; it must be a finite number"
            continue
        choices = metadata.get("choices")
        within = all(check(entry, metadata[sign]) for sign, check in SIGNS.items() if metadata.get(sign) is not None)
        if not within or (choices and entry not in choices):
            yield f"{entry!r} is not allowed; it must be {describe_bounds(metadata)}"
        if metadata.get("exists") and not Path(entry).expanduser().exists():
            yield f"{entry!r} does not exist (looked in {Path.cwd()})" if not Path(entry).is_absolute() else f"{entry!r} does not exist"


def _check_pairings(values: Mapping[str, Any], chosen: Mapping[str, Component], registry: Registry) -> list[str]:
    """Requirements that no other part of the run meets."""
    problems = []
    environment, agent = chosen.get("environment"), chosen.get("agent")
    # a dataset in whose place an environment puts items of its own gives nothing
    replaced = environment is not None and "catalog" in environment.provides
    giving = {key: component for key, component in chosen.items() if not (replaced and key == "dataset")}
    given = {key: _given(component, _at(values, key)) for key, component in giving.items()}
    for key, component in chosen.items():
        others = {tag for other, tags in given.items() if other != key for tag in tags} | CORE_PROVIDES
        required = sorted(_filled_in(component, _at(values, key)))
        unmet = [tag for tag in required if not others & set(tag.split("|"))]
        problems += [f"{_call(key, component)} needs {_in_words(tag)}, {_lacking(tag, giving, given)}" for tag in unmet]
    slate_size = values["environment"].get("slate_size", 1) if isinstance(values["environment"], Mapping) else 1
    if environment and agent and isinstance(slate_size, int) and slate_size > 1:
        problems += [
            f"environment.slate_size={slate_size}: {_call(key, component)} cannot {verb} slates of more than one item; "
            f"use slate_size=1, or one that can: {', '.join(_that_can(component.kind, 'slates', registry))}"
            for key, component, verb in (("agent", agent, "show"), ("environment", environment, "answer"))
            if "slates" not in component.provides
        ]
    return problems


def _that_can(kind: Kind, tag: str, registry: Registry) -> list[str]:
    return [name for name in registry.names(kind) if tag in registry.get(kind, name).provides]


def _filled_in(component: Component, settings: Mapping[str, Any]) -> Iterator[str]:
    """The component's requirements with its settings filled in; one that names a setting that is null is none."""
    for tag in component.requires:
        named = [name for _, name, _, _ in Formatter().parse(tag) if name]
        if all(settings.get(name) is not None for name in named):
            yield tag.format_map(settings)


def _check_sizes(values: Mapping[str, Any]) -> list[str]:
    """An agent's settings that make no sense beside the number of users or the length of training; other agents have no such keys."""
    agent, environment = ({} if not isinstance(values[key], Mapping) else values[key] for key in ("agent", "environment"))
    capacity, users = agent.get("replay_capacity"), environment.get("num_users")
    starts, env_steps = agent.get("learning_starts"), values["trainer"]["env_steps"]
    problems = []
    if isinstance(capacity, int) and isinstance(users, int) and capacity < users:
        problems.append(f"agent.replay_capacity={capacity} holds less than one step of environment.num_users={users}; raise it")
    if isinstance(starts, int) and isinstance(env_steps, int) and starts > env_steps:
        problems.append(f"agent.learning_starts={starts} is more than trainer.env_steps={env_steps}: nothing would be learned; lower it")
    return problems


def _check_monitor(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    environment = chosen.get("environment")
    unclicked = environment is not None and "signal:click" not in environment.provides
    metrics = [name for name in METRICS if not (unclicked and name == "click_rate")] + [f"reward/{name}" for name in values["reward"]]
    monitor = values["trainer"]["monitor"]
    return [] if monitor in metrics else [f"trainer.monitor: {monitor!r} is not measured{suggestion(monitor, metrics)}"]


def _check_auxiliary(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """The prediction's signal, as far as the environment declares its own."""
    settings, environment = values["auxiliary"], chosen.get("environment")
    if not settings["weight"] or environment is None:
        return []
    given = _given(environment, values["environment"])
    signals = sorted(tag.removeprefix("signal:") for tag in given if tag.startswith("signal:"))
    known = settings["signal"] in signals
    return (
        []
        if known
        else [f"auxiliary.signal: environment={environment.name} gives no signal {settings['signal']!r}; it gives: {', '.join(signals)}"]
    )


def _check_tuning(values: Mapping[str, Any]) -> list[str]:
    """What is tuned is the model that the agent reads with, by the texts themselves; encoders without a model have no such setting."""
    tuned = {key: method for place in ("encoder", "world_encoder") for key, method in _tuned(place, values[place])}
    problems = [
        f"{key}.tuning={tuned[key]}: only the run's own encoder can be tuned; set it to frozen" for key in tuned if key != "encoder"
    ]
    if "encoder" in tuned and values["embeddings"]["shuffle"]:
        problems.append(f"encoder.tuning={tuned['encoder']} does not go with embeddings.shuffle=true: other texts would be tuned; drop one")
    return problems


def _tuned(key: str, values: Any) -> Iterator[tuple[str, str]]:
    """The encoders at and within `key` whose language model is to be tuned, and how."""
    if not isinstance(values, Mapping):
        return
    if values.get("tuning", "frozen") != "frozen":
        yield key, values["tuning"]
    for name, value in values.items():
        yield from _tuned(f"{key}.{name}", value)


def _call(key: str, component: Component) -> str:
    return f"{component.kind}={component.name}"


def _in_words(tag: str) -> str:
    words = []
    for alternative in tag.split("|"):
        family, _, name = alternative.partition(":")
        meaning = TAGS.get(alternative) or (f"{TAGS[family + ':'].replace('of that name', repr(name))}" if f"{family}:" in TAGS else "")
        words.append(meaning or f"{alternative!r}")
    return " or ".join(words)


def _given(component: Component, settings: Mapping[str, Any]) -> set[str]:
    """What a component provides under its settings: "tag?setting" is given if the setting is true."""
    pairs = (tag.partition("?") for tag in component.provides)
    return {tag for tag, _, setting in pairs if not setting or settings.get(setting)}


def _lacking(tag: str, chosen: Mapping[str, Component], provided: Mapping[str, set[str]]) -> str:
    """Who could have given it and gives what instead."""
    family = tag.partition(":")[0]
    giver = {"signal": "environment", "actions": "environment", "features": "environment", "truth": "environment"}.get(family, "dataset")
    giver = giver if giver in chosen else "environment"
    component = chosen.get(giver)
    if component is None:
        return "which nothing here gives"
    hidden = next((given for given in component.provides if given.partition("?")[0] == tag and "?" in given), None)
    if hidden:
        return f"which {_call(giver, component)} gives with {giver}.{hidden.partition('?')[2]}=true"
    prefix = f"{family}:" if ":" in tag else ""
    given = sorted(t.removeprefix(prefix) for t in provided[giver] if t.startswith(prefix))
    return f"which {_call(giver, component)} does not give (it gives: {', '.join(given) or 'none'})"
