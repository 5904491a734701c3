"""The section of one component, checked by itself, without the config of a run around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from recframe.components import Component, nested_sections, node
from recframe.config import ConfigError
from recframe.config.checks.sections import check_section, merged_as, unknown_settings
from recframe.plugin_loader import registry


def checked_section(component: Component, settings: Mapping[str, Any], key: str | None = None) -> Any:
    """The section of a config with these settings of the component, and its defaults for the others; so are those of components in it.

    key: where the section stands, for messages; by default the component's kind.

    Raises
    ------
    ConfigError: with every mistake in the settings, one line each.
    recframe.plugin_loader.UnknownComponent: no loaded plugin has a component in it.
    """
    prefix = f"{key or component.kind}."
    schema = OmegaConf.structured(node(component))
    if problems := unknown_settings(prefix, settings, node(component)):
        raise ConfigError(problems)
    problems = [problem for name, value in settings.items() for problem in merged_as(prefix, schema, {name: value})[1]]
    section, _ = merged_as(prefix, schema, settings) if not problems else (None, [])
    if section is not None:
        values: Any = OmegaConf.to_container(section, resolve=True)
        problems = check_section(key or component.kind, component, values)
    if section is None or problems:
        raise ConfigError(problems)
    for place, nested in nested_sections(component.config, section):
        inner = registry().get(component.kind, nested["name"])
        own = {str(name): value for name, value in nested.items() if name != "name"}
        OmegaConf.update(section, place, checked_section(inner, own, f"{prefix}{place}"), merge=False)
    return section
