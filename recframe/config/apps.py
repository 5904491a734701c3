"""The Hydra apps `recframe train` and `recframe pretrain`, and `recframe data describe`, whose config is composed in the same way."""

from __future__ import annotations

from collections.abc import Mapping

from recframe.components import Kind
from recframe.config.app import App
from recframe.config.checks import pretraining, run, sizes
from recframe.config.checks.sections import check_section, section_at
from recframe.config.schema.describing import DescribingConfig
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
    start_rules=sizes.start_rules,
    complete=run.name_monitor,
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
DESCRIBE = App(
    command="data describe",
    config_name="describe",
    schema=DescribingConfig,
    sections={"dataset": Kind.DATASET},
    optional=frozenset(),
    rules=lambda composed: [],
    section_rules=lambda composed, key: check_section(key, composed.components[key], section_at(composed.values, key)),
)
APPS: Mapping[str, App] = {app.command: app for app in (TRAIN, PRETRAIN, DESCRIBE)}
