"""Checking the config of a pretraining before anything heavy starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recframe.components import Component, Kind, contradictions, node
from recframe.config.machine import device_problem, folder_problem
from recframe.config.pretraining_schemas import NewModelConfig, PretrainConfig, PretrainingConfig
from recframe.config.problems import ConfigError
from recframe.config.store import LOGGERS
from recframe.config.validate import _check_fields, _contradictions, _merged
from recframe.plugins import Registry, UnknownComponent, suggestion

KINDS = (Kind.DATASET, Kind.ENCODER)
MODEL_REQUIRED = "encoder.model is required"


def validate_pretraining(cfg: DictConfig, registry: Registry) -> DictConfig:
    """`cfg` in this process's types, if a model can be trained by it; see `recframe.config.validate.validate`.

    Raises
    ------
    ConfigError: with every problem, one line each.
    """
    typed, problems = _merged("", OmegaConf.structured(PretrainingConfig), OmegaConf.create(OmegaConf.to_container(cfg)))
    if typed is None:
        raise ConfigError(problems)
    chosen, _ = _chosen(OmegaConf.to_container(typed), registry)
    if typed.pretrain.from_scratch and OmegaConf.is_missing(typed.encoder, "model"):
        typed.encoder.model = typed.pretrain.folder
    for kind, component in chosen.items():
        section, wrong = _merged(f"{kind}.", OmegaConf.structured(node(component)), typed[kind])
        problems += wrong
        if section is not None:
            typed[kind] = section
    problems = problems or find_pretraining_problems(typed, registry)
    if problems:
        raise ConfigError(problems)
    return typed


def find_pretraining_problems(cfg: DictConfig, registry: Registry) -> list[str]:
    """One line for each thing that keeps a model from being trained by `cfg`."""
    values: Any
    try:
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        return [f"{getattr(error, 'full_key', '') or 'config'}: {str(error).splitlines()[0]}"]
    chosen, problems = _chosen(values, registry)
    wrong = _check_fields("", values, PretrainingConfig)
    problems += wrong
    if not any(line.startswith("pretrain.") for line in wrong):
        settings = {**values["pretrain"], "new": NewModelConfig(**values["pretrain"]["new"])}
        problems += contradictions(PretrainConfig(**settings))
    for kind, component in chosen.items():
        unsound = _check_fields(f"{kind}.", values[kind], node(component))
        if kind is Kind.ENCODER and values["pretrain"]["from_scratch"]:
            # of a new model it is known only afterwards where it lies
            unsound = [line for line in unsound if not line.startswith(MODEL_REQUIRED)]
        elif kind is Kind.ENCODER:
            unsound = [f"{line}, or pretrain.from_scratch=true" if line.startswith(MODEL_REQUIRED) else line for line in unsound]
        problems += unsound or _contradictions(str(kind), component, values[kind])
    for name, logger in values["logger"].items():
        problems += (
            _check_fields(f"logger.{name}.", logger, LOGGERS[name])
            if name in LOGGERS
            else [f"logger.{name}: there is no such logger{suggestion(name, list(LOGGERS))}"]
        )
    problems += [problem] if (problem := device_problem(values["device"])) else []
    folder = values["pretrain"]["folder"]
    problems += [problem] if (problem := folder_problem("pretrain.folder", folder) or occupied(folder)) else []
    encoder = chosen.get(Kind.ENCODER)
    if encoder is not None and "pretraining" not in encoder.provides:
        able = [name for name in registry.names(Kind.ENCODER) if "pretraining" in registry.get(Kind.ENCODER, name).provides]
        problems.append(f"encoder={encoder.name} has no language model to train; those that have: {', '.join(able) or 'none'}")
    return problems


def occupied(folder: str | Path) -> str:
    """Why nothing is written to the folder of a model that is to be made, or ''. An empty one, as Hydra makes it, is no obstacle."""
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        return f"pretrain.folder: {str(folder)!r} is there already, and nothing is overwritten; choose another"
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
