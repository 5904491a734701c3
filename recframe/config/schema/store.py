"""Registration of all schemas in Hydra's ConfigStore: those of the apps, the loggers, and the registered components."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from recframe.components import Kind, node
from recframe.config.schema.describing import DescribingConfig
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig
from recframe.plugin_loader import registry


def store_schemas() -> None:
    """Store all schemas. Call it before Hydra composes; a second call replaces the stored schemas."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunConfig, provider="recframe")
    store.store(name="pretraining_schema", node=PretrainingConfig, provider="recframe")
    store.store(name="describing_schema", node=DescribingConfig, provider="recframe")
    for logger in registry().loggers():
        name = logger.component.name
        store.store(group="logger", name=name, package=f"logger.{name}", node=logger.component.config, provider=logger.distribution)
    for registered in registry().components():
        component = registered.component
        # several rewards are summed, so each has a section under its own name; the package of the others is up to the defaults list
        package = f"reward.{component.name}" if component.kind is Kind.REWARD else None
        group, name, provider = component.kind.value, component.name, registered.distribution
        store.store(group=group, name=name, package=package, node=node(component), provider=provider)
