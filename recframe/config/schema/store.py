"""Registration of all schemas in Hydra's ConfigStore: those of the apps, the loggers, and the registered components.

Of a component, the store holds what its config section is made from until Hydra reads it: a run reads seven of them, and there are eighty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from recframe.components import Component, Kind, LoggerComponent, node
from recframe.config.schema.describing import DescribingConfig
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.plugin_loader import Registered, RegisteredLogger, registry

SWEEPER = "optuna.yaml"
SCHEMAS = {"run_schema": RunConfig, "pretraining_schema": PretrainingConfig, "describing_schema": DescribingConfig}


_made: WeakKeyDictionary[Component | LoggerComponent, ConfigNode] = WeakKeyDictionary()


@cache
def _own_nodes() -> dict[str, ConfigNode]:
    """What the store holds of the apps' schemas and of the sweeper, by file."""
    schemas = {name: ConfigNode(f"{name}.yaml", OmegaConf.structured(schema), None, None, "recframe") for name, schema in SCHEMAS.items()}
    sweeper = ConfigNode(SWEEPER, OmegaConf.structured(OptunaSweeperConfig), "hydra/sweeper", None, "recframe")
    return {node.name: node for node in (*schemas.values(), sweeper)}


def store_schemas() -> None:
    """Store all schemas. Call it before Hydra composes; a second call replaces the stored schemas."""
    OmegaConf.register_new_resolver("tracker_for", tracker_for, replace=True)
    store, found = ConfigStore.instance(), registry()
    for name, own in _own_nodes().items():
        place = store.repo.setdefault("hydra", {}).setdefault("sweeper", {}) if name == SWEEPER else store.repo
        # Hydra copies what it takes from the store, so that what is made once can be stored again
        place[name] = own
    offered: list[Registered | RegisteredLogger] = [*found.loggers(), *found.components()]
    for registered in offered:
        component = registered.component
        made = _made.get(component) or _made.setdefault(component, _node_of(registered))
        store.repo.setdefault(component.kind, {})[made.name] = made


def tracker_for(environment: str) -> str:
    """The state tracker of a run for which none is chosen, in the environment of this name: the one that the environment names."""
    found = registry()
    named = found.get(Kind.ENVIRONMENT, environment).state_tracker if environment in found.names(Kind.ENVIRONMENT) else None
    return named or "mean"


class SectionNode(ConfigNode):
    """What Hydra's store holds of a component: its config section, made when Hydra reads it, which takes a millisecond or more."""

    def __init__(self, name: str, group: str, package: str | None, provider: str, schema: type) -> None:
        self.name, self.group, self.package, self.provider = name, group, package, provider
        self._schema = schema
        self._made: DictConfig | None = None

    @property
    def node(self) -> DictConfig:
        """The section with its defaults."""
        if self._made is None:
            self._made = OmegaConf.structured(self._schema)
        return self._made

    @node.setter
    def node(self, made: DictConfig) -> None:
        # Hydra puts a copy of the section into a copy of this
        self._made = made


def _node_of(registered: Registered | RegisteredLogger) -> SectionNode:
    component = registered.component
    # of rewards and loggers there may be several, so each has a section under its own name; the defaults lists place the others
    several = isinstance(component, LoggerComponent) or component.kind is Kind.REWARD
    package = f"{component.kind}.{component.name}" if several else None
    schema = component.config if isinstance(component, LoggerComponent) else node(component)
    return SectionNode(f"{component.name}.yaml", component.kind, package, registered.distribution, schema)


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
