"""Validation of a composed config, the same for every app: types, names of components and settings, bounds, and the app's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Component, Kind, nested_sections, node
from recframe.config.app import App, Composed
from recframe.config.apps import TRAIN
from recframe.config.checks.machine import device_problem
from recframe.config.checks.paths import fill_moments, make_paths_absolute
from recframe.config.checks.renamed import use_new_names
from recframe.config.checks.sections import check_fields, check_loggers, merged_as, resolved, section_at, variable_problems
from recframe.config.problems import ConfigError
from recframe.deprecations import warn_renamed
from recframe.plugin_loader import UnknownComponent, registry


def validate(cfg: DictConfig, app: App = TRAIN) -> DictConfig:
    """Return `cfg` in the types of this process, with absolute paths, and with the moment of now where it stands for it, if `app` can run
    it.

    A config that was read from YAML has lost its types, and one that a sweep's launcher sent to another process has the types of
    the process that composed it.

    Raises
    ------
    ConfigError: with every problem, one line each.
    """
    plain = OmegaConf.create(OmegaConf.to_container(cfg))
    typed, problems = merged_as("", OmegaConf.structured(app.schema), plain)
    if typed is None:
        raise ConfigError(problems)
    values: Any = OmegaConf.to_container(typed)
    components, _ = _chosen_components(values, app)
    for key, component in components.items():
        section, wrong = merged_as(f"{key}.", OmegaConf.structured(node(component)), OmegaConf.select(typed, key))
        problems += wrong
        if section is not None:
            for old, renamed in use_new_names(f"{key}.", section, component.config).used:
                warn_renamed(old, renamed, "the config")
            OmegaConf.update(typed, key, section, merge=False)
    problems = problems or find_problems(typed, app)
    if problems:
        raise ConfigError(problems)
    values = OmegaConf.to_container(typed)
    app.complete(typed, Composed(values, components))
    make_paths_absolute(typed, app.schema)
    for key, component in components.items():
        make_paths_absolute(OmegaConf.select(typed, key), component.config)
        fill_moments(OmegaConf.select(typed, key), component.config, datetime.now(UTC))
    return typed


def find_problems(cfg: DictConfig, app: App = TRAIN, choices: Mapping[str, Any] | None = None) -> list[str]:
    """One line for each reason why `app` cannot run `cfg`.

    choices: the file that was chosen for each config group, if it is known; components are then called as the user called them.
    """
    values, unresolved = resolved(cfg)
    return unresolved or _value_problems(values, app, choices or {})


def find_new_run_problems(cfg: DictConfig, app: App = TRAIN, choices: Mapping[str, Any] | None = None) -> list[str]:
    """`find_problems`, or if there are none, `find_start_problems`."""
    values, unresolved = resolved(cfg)
    return unresolved or _value_problems(values, app, choices or {}) or _start_problems(values, app)


def _value_problems(values: Mapping[str, Any], app: App, choices: Mapping[str, Any]) -> list[str]:
    """The problems of a config's plain values."""
    components, problems = _chosen_components(values, app)
    composed = Composed(values, components, choices)
    for key, component in components.items():
        problems += use_new_names(f"{key}.", section_at(values, key), component.config).problems
    problems += check_fields("", values, app.schema)
    for key in components:
        problems += app.section_rules(composed, key)
    # an app that only composes has neither
    problems += check_loggers(values.get("logger", {}))
    problems += [problem] if (problem := device_problem(values.get("device", "cpu"))) else []
    return problems + app.rules(composed)


def chosen_components(cfg: DictConfig, app: App = TRAIN) -> dict[str, Component]:
    """The components of a valid config by their keys ("agent", "reward.click", "encoder.parts.words")."""
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    return components_in(values, app)


def components_in(values: Mapping[str, Any], app: App = TRAIN) -> dict[str, Component]:
    """The components in the plain values of a valid config, with interpolations filled in, by their keys."""
    return _chosen_components(values, app)[0]


def find_start_problems(cfg: DictConfig, app: App = TRAIN) -> list[str]:
    """One line for each thing that a new run lacks, in addition to `find_problems`. A run that is evaluated again may not need it."""
    values, unresolved = resolved(cfg)
    return [] if unresolved else _start_problems(values, app)


def _start_problems(values: Mapping[str, Any], app: App) -> list[str]:
    chosen, _ = _chosen_components(values, app)
    lacking = [line for key, component in chosen.items() for line in variable_problems(key, component, section_at(values, key))]
    return lacking + app.start_rules(Composed(values, chosen))


def _chosen_components(values: Mapping[str, Any], app: App) -> tuple[dict[str, Component], list[str]]:
    """The chosen components by config key, each before those that are nested in it, and the problems of the choice."""
    waiting: list[tuple[str, Kind, Any]] = []
    for key, kind in app.sections.items():
        if kind is Kind.REWARD:
            waiting += [(f"{key}.{name}", kind, section) for name, section in values[key].items()]
        elif values[key] is not None or key not in app.optional:
            waiting.append((key, kind, values[key]))
    top = {key for key, _, _ in waiting}
    chosen: dict[str, Component] = {}
    problems = []
    while waiting:
        key, kind, section = waiting.pop(0)
        if not isinstance(section, Mapping) or "name" not in section:
            place = f"+{kind}@{key}" if key not in top else f"{kind}@{key}" if key in app.optional else kind
            problems.append(f"{key}: choose one of {', '.join(registry().names(kind))}, as {place}=NAME")
            continue
        try:
            chosen[key] = registry().get(kind, section["name"])
        except UnknownComponent as error:
            problems.append(f"{key}: {error}")
            continue
        waiting += [(f"{key}.{inner}", kind, nested) for inner, nested in nested_sections(chosen[key].config, section)]
    return chosen, problems
