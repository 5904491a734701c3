"""Building components from the sections of a config: the one place where the implementation of a plugin is imported."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.building.code import built_from
from recframe.components import Component, Kind, nested_sections
from recframe.config import ConfigError
from recframe.errors import UserError
from recframe.interfaces import Data, Encoder
from recframe.plugin_loader import registry


def component_of(kind: Kind, section: DictConfig) -> Component:
    """The component that a section of a config names.

    Raises
    ------
    UnknownComponent: if no loaded plugin has it.
    """
    return registry().get(kind, section.name)


def build(component: Component, section: DictConfig, **parts: Any) -> Any:
    """Build a component.

    Parameters
    ----------
    section: the component's section of a validated config, such as `cfg.agent`: its `name` and its settings.
    parts: the arguments of the factory of that kind after its config (see `recframe.interfaces`). Components that are nested in the
        section are built first, with the same parts.

    Raises
    ------
    ConfigError: if the implementation cannot be imported, or refuses its settings with a ValueError.
    """
    factory, config = _implementation(component), _settings(component, section)
    for key, nested in nested_sections(component.config, section):
        option, _, name = key.partition(".")
        getattr(config, option)[name] = build(component_of(component.kind, nested), nested, **parts)
    built = _call(factory, component, config, **parts)
    if component.kind is Kind.ENCODER and isinstance(built, Encoder):
        # an encoder may be a frozen dataclass
        object.__setattr__(built, "built_from", built_from(component, built))
    return built


def own_data(environment: Component, section: DictConfig) -> Any:
    """The data of an environment that brings its own items (`Environment.own_data`), or None.

    Raises
    ------
    ConfigError: as for `build`.
    """
    if "catalog" not in environment.provides:
        return None
    return _call(_implementation(environment).own_data, environment, _settings(environment, section))


def _settings(component: Component, section: DictConfig) -> Any:
    """The section as an object of the component's own config class, which unlike that of the section (`node`) can be pickled."""
    typed = OmegaConf.to_object(section)
    return component.config(**{f.name: getattr(typed, f.name) for f in dataclasses.fields(component.config) if f.init})


def data_for_training(environment: Component, section: DictConfig, data: Data) -> Data:
    """The data without what it tells of the users that the environment holds out (`Environment.training_data`).

    Raises
    ------
    ConfigError: as for `build`.
    """
    # the factory of an environment need not be the class itself
    reduced = getattr(_implementation(environment), "training_data", None)
    if reduced is None:
        return data
    known: Data = _call(reduced, environment, OmegaConf.to_object(section), data=data)
    return known


def users_held_out(environment: Component, section: DictConfig, data: Data) -> Any:
    """The logged users whom the environment holds out (`Environment.held_out_users`), or None.

    Raises
    ------
    ConfigError: as for `build`.
    """
    named = getattr(_implementation(environment), "held_out_users", None)
    return None if named is None else _call(named, environment, OmegaConf.to_object(section), data=data)


def _call(factory: Callable[..., Any], component: Component, config: Any, **parts: Any) -> Any:
    try:
        return factory(config, **parts)
    except UserError:
        raise
    except ValueError as error:
        raise ConfigError([f"{component.kind}={component.name}: {error}"]) from error


def _implementation(component: Component) -> Any:
    if component.implementation is not None:
        return component.implementation
    module, _, attribute = component.factory.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        name = f"{component.kind}={component.name}"
        raise ConfigError([f"{name}: its implementation {component.factory} could not be imported: {error}"]) from error
