"""Presets: configs of a group that choose a component and change some of its settings, such as `agent=ppo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hydra import compose
from omegaconf import OmegaConf

from recframe.components import Component, Kind, options_of
from recframe.config.apps import TRAIN
from recframe.config.compose.initialize import initialized
from recframe.plugin_loader import registry


class Preset(NamedTuple):
    """A preset: the component that it chooses, and the settings that differ from the component's defaults."""

    component: Component
    settings: Mapping[str, Any]


def find_preset(kind: Kind, name: str) -> Preset | None:
    """The preset of that name, or None if there is none."""
    with initialized() as groups:
        if kind is Kind.REWARD or not groups.has(kind, name):
            return None
        section = compose(TRAIN.config_name, overrides=[f"{kind}={name}"])[kind]
    values: Any = OmegaConf.to_container(section)
    component = registry().get(kind, values["name"])
    usual = {option.name: option.default for option in options_of(component.config)}
    return Preset(component, {key: value for key, value in values.items() if key != "name" and value != usual.get(key)})
