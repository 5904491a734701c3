"""Checking a composed config before anything heavy starts: names, bounds, and pairings that cannot work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Component, Kind, nested_sections, node
from recframe.config.checks.machine import device_problem, folder_problem
from recframe.config.checks.pairings import check_pairings
from recframe.config.checks.sections import check_component, check_fields, check_loggers, merged_as, resolved, section_at, unknown_settings
from recframe.config.problems import ConfigError
from recframe.config.schema.run import LabelConfig, RunConfig
from recframe.plugin_loader import Registry, UnknownComponent, suggestion

# what is measured of every policy, beside each reward's own `reward/NAME`
METRICS = ("return", "length", "click_rate", "coverage", "diversity", "novelty", "gini")
# sections that hold a component of a kind beside the kind's own, or null
OTHER_PLACES = {"world_encoder": Kind.ENCODER}


def validate(cfg: DictConfig, registry: Registry) -> DictConfig:
    """`cfg` in this process's types, if it can run.

    A config read back from YAML has lost its types, and one that a sweep's launcher sent to another process has types of that process.

    Raises
    ------
    ConfigError: with every problem, one line each.
    """
    plain = OmegaConf.create(OmegaConf.to_container(cfg))
    typed, problems = merged_as("", OmegaConf.structured(RunConfig), plain)
    if typed is None:
        raise ConfigError(problems)
    values: Any = OmegaConf.to_container(typed)
    for key, component in _chosen_components(values, registry)[0].items():
        section, wrong = merged_as(f"{key}.", OmegaConf.structured(node(component)), OmegaConf.select(typed, key))
        problems += wrong
        if section is not None:
            OmegaConf.update(typed, key, section, merge=False)
    problems = problems or find_problems(typed, registry)
    if problems:
        raise ConfigError(problems)
    return typed


def find_problems(cfg: DictConfig, registry: Registry) -> list[str]:
    """One line for each thing that keeps `cfg` from running."""
    values, unresolved = resolved(cfg)
    if unresolved:
        return unresolved
    chosen, problems = _chosen_components(values, registry)
    problems += check_fields("", values, RunConfig)
    unread = _unread_kinds(chosen)
    for key, component in chosen.items():
        section = section_at(values, key)
        # what nobody reads may lack a path that it would need; a key that is misspelt is a mistake all the same
        skipped = component.kind in unread
        problems += unknown_settings(f"{key}.", section, node(component)) if skipped else check_component(key, component, section)
    problems += check_loggers(values["logger"])
    problems += [problem] if (problem := device_problem(values["device"])) else []
    problems += [problem] if (problem := folder_problem("embeddings.cache", values["embeddings"]["cache"])) else []
    problems += _check_labels(values, chosen)
    problems += check_pairings(values, chosen, registry) + _check_sizes(values) + _check_monitor(values, chosen)
    return problems + _check_auxiliary(values, chosen) + _check_tuning(values, chosen)


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


def _unread_kinds(chosen: Mapping[str, Component]) -> tuple[Kind, ...]:
    """The kinds in whose place an environment puts items of its own, if it does."""
    environment = chosen.get("environment")
    return (Kind.DATASET, Kind.ENCODER) if environment is not None and "catalog" in environment.provides else ()


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
    given = environment.given(values["environment"])
    signals = sorted(tag.removeprefix("signal:") for tag in given if tag.startswith("signal:"))
    known = settings["signal"] in signals
    return (
        []
        if known
        else [f"auxiliary.signal: environment={environment.name} gives no signal {settings['signal']!r}; it gives: {', '.join(signals)}"]
    )


def _check_tuning(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """What is tuned is the model that the agent reads with, by the texts themselves; encoders without a model have no such setting."""
    methods = {key: section_at(values, key).get("tuning", "frozen") for key, one in chosen.items() if one.kind is Kind.ENCODER}
    tuned = {key: method for key, method in methods.items() if method != "frozen"}
    problems = [
        f"{key}.tuning={tuned[key]}: only the run's own encoder can be tuned; set it to frozen" for key in tuned if key != "encoder"
    ]
    if "encoder" in tuned and values["embeddings"]["shuffle"]:
        problems.append(f"encoder.tuning={tuned['encoder']} does not go with embeddings.shuffle=true: other texts would be tuned; drop one")
    return problems


def _check_labels(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """What is wrong with the `labels` section: with its settings, or because the run has no texts."""
    problems = []
    for name, settings in values["labels"].items():
        key, prototypes = f"labels.{name}", settings["prototypes"]
        problems += check_fields(f"{key}.", settings, LabelConfig)
        if len(prototypes) < 2:
            problems.append(f"{key}.prototypes: two labels or more are needed, each with sentences; it has {len(prototypes)}")
        for label, sentences in prototypes.items():
            if not sentences or not all(sentence.strip() for sentence in sentences):
                problems.append(f"{key}.prototypes.{label}: a sentence or more is needed, none of them empty, such as ['I loved it.']")
    if values["labels"] and _unread_kinds(chosen):
        problems.append(f"labels: environment={chosen['environment'].name} brings its own items, so that no texts are read; use labels=[]")
    return problems
