"""The rules for the config of a pretraining: an encoder with a language model, the settings of a new model, and a free folder."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from omegaconf import DictConfig

from recframe.components import Kind, contradictions
from recframe.config.app import Composed
from recframe.config.checks.machine import folder_problem
from recframe.config.checks.sections import check_fields, check_section, section_at
from recframe.config.schema.pretraining import NewModelConfig, PretrainConfig
from recframe.plugin_loader import registry

MODEL_REQUIRED = "encoder.model is required"
# settings of the encoder that do not apply to a new model, and the remedy
NOT_OF_A_NEW_MODEL = {
    "model": "a new model is made; leave one of the two out",
    "revision": "a new model is made; leave one of the two out",
    "max_length": "a new model's is pretrain.new.max_length",
}


def pretraining_rules(composed: Composed) -> list[str]:
    """The problems of a pretraining's config outside the sections of its components."""
    values, components = composed.values, composed.components
    problems = []
    if not check_fields("pretrain.", values["pretrain"], PretrainConfig):
        settings = {**values["pretrain"], "new": NewModelConfig(**values["pretrain"]["new"])}
        problems += contradictions(PretrainConfig(**settings))
    folder = values["pretrain"]["folder"]
    problems += [problem] if (problem := folder_problem("pretrain.folder", folder) or occupied(folder)) else []
    encoder = components.get("encoder")
    if encoder is not None and "pretraining" not in encoder.provides:
        able = ", ".join(trainable_encoders()) or "none"
        problems.append(f"{composed.called('encoder')} has no language model to train; these have one: {able}")
    return problems


def pretraining_section_rules(composed: Composed, key: str) -> list[str]:
    """The problems of the section of the component at `key`: of an encoder, also those that only a pretraining has."""
    problems = check_section(key, composed.components[key], section_at(composed.values, key))
    return _encoder_problems(problems, composed) if key == "encoder" else problems


def name_new_model(cfg: DictConfig, composed: Composed) -> None:
    """Let `encoder.model` be the folder of a new model, so that the record names the model that is made."""
    if cfg.pretrain.from_scratch and "model" in list(cfg.encoder):
        cfg.encoder.model = cfg.pretrain.folder


def trainable_encoders() -> list[str]:
    """The names of the encoders whose language model can be trained."""
    return [found.component.name for found in registry().components(Kind.ENCODER) if "pretraining" in found.component.provides]


def _encoder_problems(problems: list[str], composed: Composed) -> list[str]:
    """The problems of the encoder's section: a new model needs no name, and no agent tunes the model."""
    values = composed.values
    from_scratch, settings = values["pretrain"]["from_scratch"], values["encoder"]
    required = [line for line in problems if line.startswith(MODEL_REQUIRED)]
    problems = [line for line in problems if line not in required]
    if not from_scratch:
        problems += [f"{line}, or pretrain.from_scratch=true" for line in required]
    if from_scratch:
        # `name_new_model` sets the folder
        usual = {
            field.name: (field.default, values["pretrain"]["folder"]) for field in dataclasses.fields(composed.components["encoder"].config)
        }
        problems += [
            f"encoder.{name}={settings[name]} is not read with pretrain.from_scratch=true: {remedy}"
            for name, remedy in NOT_OF_A_NEW_MODEL.items()
            if name in usual and settings[name] not in usual[name]
        ]
    if settings.get("tuning", "frozen") != "frozen":
        problems.append(f"encoder.tuning={settings['tuning']} is for agents: pretraining trains all weights; set it to frozen")
    return problems


def occupied(folder: str | Path) -> str:
    """Why a new model cannot take the place of `folder`, or ''. An empty folder, such as Hydra makes, is free."""
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        return f"pretrain.folder: {str(folder)!r} exists already and is not overwritten; choose another"
    if path.is_symlink() or os.path.ismount(path):
        return f"pretrain.folder: {str(folder)!r} is a link or a mount point, which the finished folder cannot replace; choose one below it"
    return ""
