"""From a section of a config to the object that a component's factory is given, and from such an object to a section."""

from __future__ import annotations

import dataclasses
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Component, node
from recframe.config.checks.paths import make_paths_absolute
from recframe.config.checks.sections import check_section, merged_as
from recframe.config.problems import ConfigError


def config_object(component: Component, section: DictConfig) -> Any:
    """A validated section as an object of the component's own config class, which unlike that of the section (`node`) can be pickled."""
    typed = OmegaConf.to_object(section)
    return component.config(**{f.name: getattr(typed, f.name) for f in dataclasses.fields(component.config) if f.init})


def config_section(component: Component, config: Any) -> DictConfig:
    """The section of a run's config that sets a component's options as `config` does: checked, and with absolute paths.

    A component in it is left out: there is an empty section under its name.

    Raises
    ------
    ConfigError: with what a run would refuse, one line each.
    """
    key = component.kind.value
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(component.config) if field.init}
    for field in dataclasses.fields(component.config):
        if field.metadata.get("components"):
            values[field.name] = {name: {} for name in values[field.name]}
    section, problems = merged_as(f"{key}.", OmegaConf.structured(node(component)), values)
    if section is None:
        raise ConfigError(problems)
    settings: Any = OmegaConf.to_container(section)
    if problems := check_section(key, component, settings):
        raise ConfigError(problems)
    make_paths_absolute(section, component.config)
    return section
