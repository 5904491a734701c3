"""Building components from the sections of a config: the one place where the implementation of a plugin is imported."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from recframe.attribution import (
    ComponentFailure,
    Origin,
    blaming,
    call_problem,
    mark,
    missing_methods,
    origin_of_component,
    require_parts,
)
from recframe.building.code import built_from
from recframe.components import Component, Kind, nested_sections
from recframe.config import ConfigError, config_object
from recframe.errors import UserError
from recframe.interfaces import Data, Encoder
from recframe.plugin_loader import raised, registry


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
    ConfigError: if the implementation refuses its settings with a ValueError.
    ComponentFailure: if the implementation cannot be imported or called, raises another error, or makes something else than a component of
        this kind.
    """
    origin = origin_of_component(component)
    factory, config = buildable(component, tuple(parts)), config_object(component, section)
    for key, nested in nested_sections(component.config, section):
        option, _, name = key.partition(".")
        getattr(config, option)[name] = build(component_of(component.kind, nested), nested, **parts)
    built = _call(factory, component, config, **parts)
    require_parts(component.kind, built, origin)
    mark(built, origin)
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
    return _call(_implementation(environment).own_data, environment, config_object(environment, section))


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
    known: Data = _call(reduced, environment, config_object(environment, section), data=data)
    if not isinstance(known, Data):
        raise _failure(environment, f"training_data returned a {type(known).__name__}; right is a recframe.interfaces.Data")
    return known


def users_held_out(environment: Component, section: DictConfig, data: Data) -> Any:
    """The logged users whom the environment holds out (`Environment.held_out_users`), or None.

    Raises
    ------
    ConfigError: as for `build`.
    """
    named = getattr(_implementation(environment), "held_out_users", None)
    return None if named is None else _call(named, environment, config_object(environment, section), data=data)


def buildable(component: Component, arguments: tuple[str, ...]) -> Callable[..., Any]:
    """The factory of a component, which can be called with a config and these named arguments, and whose class has all methods.

    Raises
    ------
    ComponentFailure: if not.
    """
    factory = _implementation(component)
    problem = missing_methods(factory, component.kind) or call_problem(factory, dict.fromkeys(arguments))
    if problem is not None:
        raise _failure(component, problem)
    return factory  # type: ignore[no-any-return]


def _failure(component: Component, problem: str) -> ComponentFailure:
    origin = origin_of_component(component)
    return ComponentFailure(f"{origin}: {problem}", origin)


def _call(factory: Callable[..., Any], component: Component, config: Any, **parts: Any) -> Any:
    origin = origin_of_component(component)
    try:
        with blaming(origin):
            return factory(config, **parts)
    except ComponentFailure as failure:
        if not isinstance(failure.__cause__, ValueError):
            raise
        # a mistake in the config, as the contract of constructors has it
        reason = " ".join(str(failure.__cause__).split())
        third_party = failure.origin is not None and failure.origin.is_third_party
        raise ConfigError([f"{_in_config(failure.origin if third_party and failure.origin else origin)}: {reason}"]) from failure.__cause__


def _in_config(origin: Origin) -> str:
    """A component as it is named in a mistake of the config: that of recframe itself by its name alone."""
    return str(origin) if origin.is_third_party else origin.component


def _implementation(component: Component) -> Any:
    if component.implementation is not None:
        return component.implementation
    module, _, attribute = component.factory.partition(":")
    try:
        imported = importlib.import_module(module)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever a module does when it is imported
        raise _failure(component, f"its implementation {component.factory} could not be imported: {raised(error)}") from error
    if not hasattr(imported, attribute):
        raise _failure(component, f"its implementation {component.factory} could not be imported: {module} has no {attribute!r}")
    return getattr(imported, attribute)
