"""The section of one component, checked by itself, without the config of a run around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from recframe.components import Component, node
from recframe.config import ConfigError
from recframe.config.checks.sections import check_section, merged_as, unknown_settings


def checked_section(component: Component, settings: Mapping[str, Any], key: str | None = None) -> Any:
    """The section of a config with these settings of the component, and its defaults for the others.

    key: where the section stands, for messages; by default the component's kind.

    Raises
    ------
    ConfigError: with every mistake in the settings, one line each.
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
    if problems:
        raise ConfigError(problems)
    return section
