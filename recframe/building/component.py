"""Building a component from its config: the one place where a plugin's implementation is imported."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Kind
from recframe.config.problems import ConfigError
from recframe.errors import UserError
from recframe.plugin_loader import Registry


def build(kind: Kind, section: DictConfig, registry: Registry, **parts: Any) -> Any:
    """Build the component that a config section names.

    Parameters
    ----------
    section: `cfg.agent` and the like of a validated config; holds `name` and the component's settings.
    parts: what that kind's factory is called with besides its config (see `recframe.interfaces`). Components inside the section
        are built first, with the same.

    Raises
    ------
    ConfigError: if the implementation cannot be imported, or refuses its settings with a ValueError.
    """
    factory, config = _implementation(kind, section, registry), OmegaConf.to_object(section)
    for field in dataclasses.fields(registry.get(kind, section.name).config):
        if field.metadata.get("components"):
            nested = {str(name): build(kind, inner, registry, **parts) for name, inner in section[field.name].items()}
            setattr(config, field.name, nested)
    return _called(factory, config, kind, section, **parts)


def own_data(section: DictConfig, registry: Registry) -> Any:
    """The data of an environment that brings its own items (`Environment.own_data`), or None.

    Raises
    ------
    ConfigError: as for `build`.
    """
    if "catalog" not in registry.get(Kind.ENVIRONMENT, section.name).provides:
        return None
    return _called(_implementation(Kind.ENVIRONMENT, section, registry).own_data, OmegaConf.to_object(section), Kind.ENVIRONMENT, section)


def _called(factory: Any, config: Any, kind: Kind, section: DictConfig, **parts: Any) -> Any:
    try:
        return factory(config, **parts)
    except UserError:
        raise
    except ValueError as error:
        raise ConfigError([f"{kind}={section.name}: {error}"]) from error


def _implementation(kind: Kind, section: DictConfig, registry: Registry) -> Any:
    component = registry.get(kind, section.name)
    module, _, attribute = component.factory.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError([f"{kind}={component.name}: its implementation {component.factory} could not be imported: {error}"]) from error
