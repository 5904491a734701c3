"""Single components, built as a run builds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from recframe.building import component as building
from recframe.building.sections import checked_section
from recframe.components import Component, Kind
from recframe.config import ConfigError
from recframe.config.compose.presets import find_preset
from recframe.plugin_loader import UnknownComponent, registry, suggestion
from recframe.testing import ToyTracker, toy_data, toy_spec

SEED = 0
HISTORY_LENGTH = 5


def build(kind: str, name: str, given: Mapping[str, Any] | None = None, **settings: Any) -> Any:
    """One component by itself, as a run would build it.

    `recframe.build("agent", "dqn", gamma=0.9)`

    The settings are those of the component's config. A component that needs other parts of a run gets those in `given`, and toy parts in
    place of the others, as in `recframe.testing`:

    | kind | parts | toy parts |
    |---|---|---|
    | dataset | none | |
    | encoder | `device` | the CPU |
    | state_tracker | `spec`, `data` | `toy_spec(data)` with the tracker's `history_length`, `toy_data()` |
    | agent | `spec`, `data`, `state_tracker`, `seed` | `toy_spec(data)`, `toy_data()`, `ToyTracker(spec, data)`, 0 |
    | environment | `data`, `history_length`, `split`, `device` | `toy_data()`, 5, "train", the CPU |
    | reward | `data`, on which it is prepared | `toy_data()` |

    An environment that brings its own items is built on these. The process's generator of random numbers draws initial weights:
    `torch.manual_seed` makes them the same.

    Parameters
    ----------
    kind: dataset, encoder, state_tracker, agent, environment or reward.   name: of a component or of a preset of that kind.

    Raises
    ------
    recframe.config.ConfigError: with every mistake in the settings, one line each.
    UnknownComponent: there is no such kind or name.
    """
    component, preset = _chosen(kind, name)
    parts = dict(given or {})
    section = checked_section(component, {**preset, **settings})
    if unknown := [part for part in parts if part not in _PARTS[component.kind]]:
        needed = ", ".join(_PARTS[component.kind]) or "none"
        raise ConfigError([f"given: {component.kind} {name!r} takes no part {part!r}; its parts are: {needed}" for part in unknown])
    return _BUILDERS[component.kind](component, section, parts)


def _chosen(kind: str, name: str) -> tuple[Component, Mapping[str, Any]]:
    """The component, and the settings of the preset that it was called by."""
    if kind not in list(Kind):
        raise UnknownComponent(f"{kind!r} is not a kind of component{suggestion(str(kind), [known.value for known in Kind])}")
    if name not in registry().names(Kind(kind)) and (preset := find_preset(Kind(kind), name)) is not None:
        return preset.component, preset.settings
    return registry().get(kind, name), {}


def _dataset(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    return building.build(component, section)


def _encoder(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    return building.build(component, section, device=torch.device(parts.get("device", "cpu")))


def _state_tracker(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    data = parts.get("data") or toy_data()
    spec = parts.get("spec") or toy_spec(data, history_length=section.history_length)
    return building.build(component, section, spec=spec, data=data)


def _agent(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    tracker = parts.get("state_tracker")
    data = parts.get("data") or (toy_data() if tracker is None else tracker.data)
    spec = parts.get("spec") or (toy_spec(data) if tracker is None else tracker.spec)
    tracker = tracker if tracker is not None else ToyTracker(spec, data)
    return building.build(component, section, spec=spec, state_tracker=tracker, seed=parts.get("seed", SEED))


def _environment(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    device = torch.device(parts.get("device", "cpu"))
    data = parts.get("data") or building.own_data(component, section) or toy_data()
    length, split = parts.get("history_length", HISTORY_LENGTH), parts.get("split", "train")
    users = section.num_users
    return building.build(component, section, data=data.to(device), num_users=users, history_length=length, split=split, device=device)


def _reward(component: Component, section: Any, parts: dict[str, Any]) -> Any:
    reward = building.build(component, section)
    reward.prepare(parts.get("data") or toy_data())
    return reward


_PARTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.DATASET: (),
    Kind.ENCODER: ("device",),
    Kind.STATE_TRACKER: ("spec", "data"),
    Kind.AGENT: ("spec", "data", "state_tracker", "seed"),
    Kind.ENVIRONMENT: ("data", "history_length", "split", "device"),
    Kind.REWARD: ("data",),
}
_BUILDERS: Mapping[Kind, Callable[[Component, Any, dict[str, Any]], Any]] = {
    Kind.DATASET: _dataset,
    Kind.ENCODER: _encoder,
    Kind.STATE_TRACKER: _state_tracker,
    Kind.AGENT: _agent,
    Kind.ENVIRONMENT: _environment,
    Kind.REWARD: _reward,
}
