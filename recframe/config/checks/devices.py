"""The rules for `trainer.devices` above 1: what the users of a training can be divided for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recframe.components import Kind
from recframe.config.app import Composed
from recframe.config.checks.sections import section_at
from recframe.config.checks.stages import SIMULATED
from recframe.plugin_loader import registry

DIVIDED = "divides_users"
"""The tag of environments and agents whose users can be divided."""
COMPARES = "compares_users"
"""The tag of rewards that need all users at once."""


def device_problems(composed: Composed) -> list[str]:
    """The problems of a run whose users are divided over several processes; none if they are not."""
    devices = composed.values["trainer"]["devices"]
    if not isinstance(devices, int) or devices <= 1:
        return []
    return [f"trainer.devices={devices}: {problem}; use trainer.devices=1, or {remedy}" for problem, remedy in _problems(composed, devices)]


def _problems(composed: Composed, devices: int) -> Iterator[tuple[str, str]]:
    """What does not go together, and what would."""
    values, chosen = composed.values, composed.components
    if values["device"] != "cpu":
        yield f"the users are divided over processes on the CPU, and device={values['device']}", "device=cpu"
    if list(values["stages"]) != [SIMULATED]:
        yield "only simulated users can be divided, and there is a stage that learns from a log", "stages=[simulated]"
    for key in ("environment", "agent"):
        component = chosen.get(key)
        if component is not None and DIVIDED not in component.provides and "no_simulator" not in component.provides:
            yield f"{composed.called(key)} cannot divide its users", f"one that can: {_names(component.kind)}"
    for key, component in chosen.items():
        if component.kind is Kind.REWARD and COMPARES in component.provides:
            yield f"{composed.called(key)} compares all users with each other", "leave it out"
        if component.kind is Kind.ENCODER and section_at(values, key).get("tuning", "frozen") != "frozen":
            yield f"a language model is not tuned in several processes, and {key}.tuning is set", f"{key}.tuning=frozen"
    if values["auxiliary"]["weight"]:
        yield "the auxiliary prediction is not divided", "auxiliary.weight=0"
    yield from _sizes(values, devices)


def _sizes(values: Mapping[str, Any], devices: int) -> Iterator[tuple[str, str]]:
    for section, setting in (("environment", "num_users"), ("agent", "batch_size")):
        size = values[section].get(setting) if isinstance(values[section], Mapping) else None
        if isinstance(size, int) and size % devices:
            yield f"{section}.{setting}={size} cannot be divided by {devices}", f"{section}.{setting}={max(size // devices, 1) * devices}"
    users, group = (values["environment"].get(setting) for setting in ("num_users", "group_size"))
    if isinstance(users, int) and isinstance(group, int) and users % devices == 0 and users % (devices * group):
        whole = max(users // (devices * group), 1) * devices * group
        yield f"environment.num_users={users} in groups of {group} cannot be divided by {devices}", f"environment.num_users={whole}"


def _names(kind: Kind) -> str:
    return ", ".join(found.component.name for found in registry().components(kind) if DIVIDED in found.component.provides) or "none"
