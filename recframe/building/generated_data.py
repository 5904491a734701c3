"""Data that a dataset generates, kept for the next job of a sweep in the same process."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.building.component import component_of
from recframe.building.dataset import load_dataset
from recframe.components import Kind
from recframe.interfaces import Data
from recframe.plugin_loader import OWN_DISTRIBUTION, registry

OUTSIDE = ("exists", "path", "variable", "address", "database", "moment", "sends")
"""What is declared of an option if what is loaded depends on more than its value."""

_kept: dict[str, Data] = {}


def generated_once(section: DictConfig) -> Data:
    """The data of a dataset, generated at most once in a row by this process. Nobody may write into it.

    Only what depends on nothing but the section and the code of this process is kept, and only the last: a dataset that reads files or
    a database, or that recframe does not bring, is loaded again each time, and says again what it has to say of its files.

    Raises
    ------
    ComponentFailure: see `load_dataset`.
    """
    if not _is_generated(section):
        _kept.clear()
        return load_dataset(section)
    key = json.dumps(OmegaConf.to_container(section, resolve=True), sort_keys=True)
    if key not in _kept:
        # before the next is generated: the memory holds one
        _kept.clear()
        _kept[key] = load_dataset(section)
    return _kept[key]


def _is_generated(section: DictConfig) -> bool:
    component = component_of(Kind.DATASET, section)
    fields: Any = dataclasses.fields(component.config)
    from_outside = any(field.metadata.get(name) for field in fields for name in OUTSIDE)
    return not from_outside and registry().registered(component).distribution == OWN_DISTRIBUTION
