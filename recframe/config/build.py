"""Building a component from its config: the one place where a plugin's implementation is imported."""

from __future__ import annotations

import importlib
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Kind
from recframe.config.problems import ConfigError
from recframe.errors import UserError
from recframe.plugins import Registry


def build(kind: Kind, section: DictConfig, registry: Registry, **parts: Any) -> Any:
    """Build the component that a config section names.

    Parameters
    ----------
    section: `cfg.agent` and the like of a validated config; holds `name` and the component's settings.
    parts: what that kind's factory is called with besides its config (see `recframe.interfaces`).

    Raises
    ------
    ConfigError: if the implementation cannot be imported, or refuses its settings with a ValueError.
    """
    component = registry.get(kind, section.name)
    module, _, attribute = component.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError([f"{kind}={component.name}: its implementation {component.factory} could not be imported: {error}"]) from error
    try:
        return factory(OmegaConf.to_object(section), **parts)
    except UserError:
        raise
    except ValueError as error:
        raise ConfigError([f"{kind}={component.name}: {error}"]) from error
