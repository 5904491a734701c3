"""Registration of all schemas in Hydra's ConfigStore: those of the apps, the loggers, and the registered components."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.config_store import ConfigStore

from recframe.components import Kind, node
from recframe.config.schema.describing import DescribingConfig
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig
from recframe.plugin_loader import registry

SCHEMAS = {"run_schema": RunConfig, "pretraining_schema": PretrainingConfig, "describing_schema": DescribingConfig}


def store_schemas() -> None:
    """Store all schemas. Call it before Hydra composes; a second call replaces the stored schemas."""
    store = ConfigStore.instance()
    for name, schema in SCHEMAS.items():
        store.store(name=name, node=schema, provider="recframe")
    for logger in registry().loggers():
        name = logger.component.name
        store.store(group="logger", name=name, package=f"logger.{name}", node=logger.component.config, provider=logger.distribution)
    for registered in registry().components():
        component = registered.component
        # several rewards are summed, so each has a section under its own name; the package of the others is up to the defaults list
        package = f"reward.{component.name}" if component.kind is Kind.REWARD else None
        group, name, provider = component.kind.value, component.name, registered.distribution
        store.store(group=group, name=name, package=package, node=node(component), provider=provider)


@contextmanager
def stored_schemas() -> Iterator[None]:
    """Store all schemas for the block. Afterwards, the places in Hydra's ConfigStore that they took are as before."""
    groups = ConfigStore.instance().repo
    places = [*(f"{name}.yaml" for name in SCHEMAS), "logger", *Kind]
    before = {place: _copied(groups[place]) for place in places if place in groups}
    store_schemas()
    try:
        yield
    finally:
        for place in places:
            groups.pop(place, None)
        groups.update(before)


def _copied(stored: Any) -> Any:
    return {name: _copied(one) for name, one in stored.items()} if isinstance(stored, dict) else stored
