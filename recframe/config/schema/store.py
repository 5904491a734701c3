"""Registration of all schemas in Hydra's ConfigStore: those of the apps, the loggers, and the registered components."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from hydra.core.config_store import ConfigNode, ConfigStore

from recframe.components import Component, Kind, LoggerComponent, node
from recframe.config.schema.describing import DescribingConfig
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.plugin_loader import Registered, RegisteredLogger, registry

SWEEPER = "optuna.yaml"
SCHEMAS = {"run_schema": RunConfig, "pretraining_schema": PretrainingConfig, "describing_schema": DescribingConfig}


_made: WeakKeyDictionary[Component | LoggerComponent, ConfigNode] = WeakKeyDictionary()


def store_schemas() -> None:
    """Store all schemas. Call it before Hydra composes; a second call replaces the stored schemas."""
    store, found = ConfigStore.instance(), registry()
    for name, schema in SCHEMAS.items():
        store.store(name=name, node=schema, provider="recframe")
    store.store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConfig, provider="recframe")
    offered: list[Registered | RegisteredLogger] = [*found.loggers(), *found.components()]
    for registered in offered:
        component = registered.component
        # Hydra copies what it takes from the store, so that what is made once can be stored again
        made = _made.get(component) or _made.setdefault(component, _stored_alone(registered))
        store.repo.setdefault(component.kind, {})[made.name] = made


def _stored_alone(registered: Registered | RegisteredLogger) -> ConfigNode:
    """What Hydra's store holds of a component, which takes a millisecond or more to make."""
    component, store = registered.component, ConfigStore.instance()
    # of rewards and loggers there may be several, so each has a section under its own name; the defaults lists place the others
    several = isinstance(component, LoggerComponent) or component.kind is Kind.REWARD
    package = f"{component.kind}.{component.name}" if several else None
    schema = component.config if isinstance(component, LoggerComponent) else node(component)
    stored, store.repo = store.repo, {}
    try:
        store.store(group=component.kind, name=component.name, package=package, node=schema, provider=registered.distribution)
        (made,) = store.repo[component.kind].values()
    finally:
        store.repo = stored
    return made  # type: ignore[no-any-return]


@contextmanager
def stored_schemas() -> Iterator[None]:
    """Store all schemas for the block. Afterwards, the places in Hydra's ConfigStore that they took are as before."""
    groups = ConfigStore.instance().repo
    places = [*(f"{name}.yaml" for name in SCHEMAS), "logger", *Kind]
    before = {place: _copied(groups[place]) for place in places if place in groups}
    # of Hydra's own groups only this place: its plugins may fill the others within the block
    sweepers = groups.setdefault("hydra", {}).setdefault("sweeper", {})
    sweeper = sweepers.get(SWEEPER)
    store_schemas()
    try:
        yield
    finally:
        for place in places:
            groups.pop(place, None)
        groups.update(before)
        sweepers.pop(SWEEPER)
        if sweeper is not None:
            sweepers[SWEEPER] = sweeper


def _copied(stored: Any) -> Any:
    return {name: _copied(one) for name, one in stored.items()} if isinstance(stored, dict) else stored
