"""Putting every schema where Hydra finds it: the run's, the loggers', and each registered component's."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from recframe.components import Kind, node
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import CsvLoggerConfig, RunConfig, WandbLoggerConfig
from recframe.plugin_loader import Registry

LOGGERS = {"wandb": WandbLoggerConfig, "csv": CsvLoggerConfig}


def store_schemas(registry: Registry) -> None:
    """Store all schemas. Call it before Hydra composes; calling it again replaces what is there."""
    store = ConfigStore.instance()
    store.store(name="run_schema", node=RunConfig, provider="recframe")
    store.store(name="pretraining_schema", node=PretrainingConfig, provider="recframe")
    for name, logger in LOGGERS.items():
        store.store(group="logger", name=name, package=f"logger.{name}", node=logger, provider="recframe")
    for registered in registry.components():
        component = registered.component
        # rewards are listed and summed, so each lives under its own name; others where they are asked for, by default under their kind
        package = f"reward.{component.name}" if component.kind is Kind.REWARD else None
        group, name, provider = component.kind.value, component.name, registered.distribution
        store.store(group=group, name=name, package=package, node=node(component), provider=provider)
