"""The two Hydra apps: `recframe train` and `recframe pretrain`."""

from __future__ import annotations

from collections.abc import Mapping

from recframe.components import Kind
from recframe.config.app import App
from recframe.config.checks import pretraining, run
from recframe.config.schema.pretraining import PretrainingConfig
from recframe.config.schema.run import RunConfig

TRAIN = App(
    command="train",
    config_name="config",
    schema=RunConfig,
    sections={kind.value: kind for kind in Kind} | {"world_encoder": Kind.ENCODER},
    optional=frozenset({"world_encoder"}),
    rules=run.run_rules,
    section_rules=run.run_section_rules,
)
PRETRAIN = App(
    command="pretrain",
    config_name="pretrain",
    schema=PretrainingConfig,
    sections={"dataset": Kind.DATASET, "encoder": Kind.ENCODER},
    optional=frozenset(),
    rules=pretraining.pretraining_rules,
    section_rules=pretraining.pretraining_section_rules,
    complete=pretraining.name_new_model,
)
APPS: Mapping[str, App] = {app.command: app for app in (TRAIN, PRETRAIN)}
