"""The definition of a Hydra app: the config that it composes, and the rules that this config has to meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from omegaconf import DictConfig

from recframe.components import Component, Kind


class Composed(NamedTuple):
    """A composed config in the form that rules read.

    values: plain values, with interpolations filled in.
    components: the chosen components by config key ("agent", "reward.click", "encoder.parts.words").
    choices: the file that was chosen for each config group, such as the preset "ppo" for "agent", as far as it is known.
    """

    values: Mapping[str, Any]
    components: Mapping[str, Component]
    choices: Mapping[str, Any] = MappingProxyType({})

    def called(self, key: str) -> str:
        """What the user chose for the component at `key`, with the component's own name if it is another: "agent=ppo (actor_critic)"."""
        component = self.components[key]
        kind, name = component.kind.value, component.name
        chosen = self.choices.get(kind if key == kind else f"{kind}@{key}")
        return f"{kind}={name}" if chosen in (None, name) else f"{kind}={chosen} ({name})"


@dataclass(frozen=True)
class App:
    """A Hydra app, which one command of recframe runs, or only composes.

    Parameters
    ----------
    command: the command.     config_name: the app's primary config.     schema: the schema of that config.
    sections: the config keys that hold a component, with its kind; `reward` holds several, by name.
    optional: those of `sections` that may be null.
    rules: the problems of a composed config that only this app looks for.
    section_rules: the problems of the section of the component at one key.
    start_rules: what a new run of the app needs, in addition, and one that is evaluated again may not.
    complete: fills in a config that has no problems, in place; the second argument is the same config as rules read it.
    """

    command: str
    config_name: str
    schema: type
    sections: Mapping[str, Kind]
    optional: frozenset[str]
    rules: Callable[[Composed], list[str]]
    section_rules: Callable[[Composed, str], list[str]]
    start_rules: Callable[[Composed], list[str]] = lambda composed: []
    complete: Callable[[DictConfig, Composed], None] = lambda cfg, composed: None
