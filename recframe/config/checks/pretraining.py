"""Checking the config of a pretraining before anything heavy starts."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.components import Component, Kind, contradictions, node
from recframe.config.checks.machine import device_problem, folder_problem
from recframe.config.checks.sections import check_component, check_fields, check_loggers, merged_as, resolved
from recframe.config.problems import ConfigError
from recframe.config.schema.pretraining import NewModelConfig, PretrainConfig, PretrainingConfig
from recframe.plugin_loader import Registry, UnknownComponent

KINDS = (Kind.DATASET, Kind.ENCODER)
MODEL_REQUIRED = "encoder.model is required"
# settings of the encoder's that say nothing of a model made from scratch, and what is right
NOT_OF_A_NEW_MODEL = {
    "model": "a new model is made; drop one of the two",
    "revision": "a new model is made; drop one of the two",
    "max_length": "a new model's is pretrain.new.max_length",
}


def validate_pretraining(cfg: DictConfig, registry: Registry) -> DictConfig:
    """`cfg` in this process's types, if a model can be trained by it; see `recframe.config.checks.run.validate`.

    Raises
    ------
    ConfigError: with every problem, one line each.
    """
    typed, problems = merged_as("", OmegaConf.structured(PretrainingConfig), OmegaConf.create(OmegaConf.to_container(cfg)))
    if typed is None:
        raise ConfigError(problems)
    chosen, _ = _chosen(OmegaConf.to_container(typed), registry)
    for kind, component in chosen.items():
        section, wrong = merged_as(f"{kind}.", OmegaConf.structured(node(component)), typed[kind])
        problems += wrong
        if section is not None:
            typed[kind] = section
    problems = problems or find_pretraining_problems(typed, registry)
    if problems:
        raise ConfigError(problems)
    if typed.pretrain.from_scratch and "model" in list(typed.encoder):
        # the record then names the model that is made, and none that was not read
        typed.encoder.model = typed.pretrain.folder
    return typed


def find_pretraining_problems(cfg: DictConfig, registry: Registry) -> list[str]:
    """One line for each thing that keeps a model from being trained by `cfg`."""
    values, unresolved = resolved(cfg)
    if unresolved:
        return unresolved
    chosen, problems = _chosen(values, registry)
    wrong = check_fields("", values, PretrainingConfig)
    problems += wrong
    if not any(line.startswith("pretrain.") for line in wrong):
        settings = {**values["pretrain"], "new": NewModelConfig(**values["pretrain"]["new"])}
        problems += contradictions(PretrainConfig(**settings))
    for kind, component in chosen.items():
        own = check_component(kind, component, values[kind])
        problems += own if kind is not Kind.ENCODER else _of_encoder(own, component, values)
    problems += check_loggers(values["logger"])
    problems += [problem] if (problem := device_problem(values["device"])) else []
    folder = values["pretrain"]["folder"]
    problems += [problem] if (problem := folder_problem("pretrain.folder", folder) or occupied(folder)) else []
    encoder = chosen.get(Kind.ENCODER)
    if encoder is not None and "pretraining" not in encoder.provides:
        able = [name for name in registry.names(Kind.ENCODER) if "pretraining" in registry.get(Kind.ENCODER, name).provides]
        problems.append(f"encoder={encoder.name} has no language model to train; those that have: {', '.join(able) or 'none'}")
    return problems


def _of_encoder(problems: list[str], encoder: Component, values: Mapping[str, Any]) -> list[str]:
    """The problems of the encoder's section, as a pretraining has them: a new model has no name yet, and nothing is tuned by an agent."""
    from_scratch, settings = values["pretrain"]["from_scratch"], values["encoder"]
    required = [line for line in problems if line.startswith(MODEL_REQUIRED)]
    problems = [line for line in problems if line not in required]
    if not from_scratch:
        problems += [f"{line}, or pretrain.from_scratch=true" for line in required]
    if from_scratch:
        # the folder is what `validate_pretraining` puts in
        usual = {field.name: (field.default, values["pretrain"]["folder"]) for field in dataclasses.fields(encoder.config)}
        problems += [
            f"encoder.{name}={settings[name]} is not read with pretrain.from_scratch=true: {right}"
            for name, right in NOT_OF_A_NEW_MODEL.items()
            if name in usual and settings[name] not in usual[name]
        ]
    if settings.get("tuning", "frozen") != "frozen":
        problems.append(f"encoder.tuning={settings['tuning']} is for agents: a pretraining trains all weights; set it to frozen")
    return problems


def occupied(folder: str | Path) -> str:
    """Why nothing is written to the folder of a model that is to be made, or ''. An empty one, as Hydra makes it, is no obstacle."""
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        return f"pretrain.folder: {str(folder)!r} is there already, and nothing is overwritten; choose another"
    if path.is_symlink() or os.path.ismount(path):
        return f"pretrain.folder: {str(folder)!r} is a link or a mount point, whose place no finished folder can take; choose one below it"
    return ""


def _chosen(values: Any, registry: Registry) -> tuple[dict[Kind, Component], list[str]]:
    chosen: dict[Kind, Component] = {}
    problems = []
    for kind in KINDS:
        section = values[kind]
        if not isinstance(section, Mapping) or "name" not in section:
            problems.append(f"{kind}: choose one of {', '.join(registry.names(kind))}, as {kind}=NAME")
            continue
        try:
            chosen[kind] = registry.get(kind, section["name"])
        except UnknownComponent as error:
            problems.append(f"{kind}: {error}")
    return chosen, problems
