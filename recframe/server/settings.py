"""Reads the settings of a server: `key=value`, checked all at once."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from recframe.components import contradictions
from recframe.config import ConfigError
from recframe.config.checks.sections import check_fields, merged_as
from recframe.plugin_loader import suggestion
from recframe.server.config import ServeConfig


def read_settings(settings: Sequence[str], folder: Path | None = None) -> ServeConfig:
    """The configuration that settings such as `port=8080` give.

    folder: of the main policy, which must exist.

    Raises
    ------
    ConfigError: with every mistake, one line each.
    """
    cfg: DictConfig = OmegaConf.structured(ServeConfig)
    missing = folder is not None and not folder.expanduser().is_dir()
    problems = [f"{folder}: there is no such folder; give that of an artefact (recframe export), or of a run"] if missing else []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            problems.append(f"{setting!r}: a setting is key=value, such as port=8080")
        elif not _known(key):
            problems.append(f"{key}: there is no such setting{suggestion(key, list(setting_keys(ServeConfig)))}")
        else:
            try:
                value = OmegaConf.from_dotlist([f"{key}={text}"])
            except (YAMLError, OmegaConfBaseException):
                problems.append(f"{key}: {text!r} cannot be read; put quotes around it")
                continue
            merged, wrong = merged_as("", cfg, value)
            problems += wrong
            cfg = merged or cfg
    values: Any = OmegaConf.to_container(cfg)
    problems += check_fields("", values, ServeConfig)
    config = typing.cast(ServeConfig, OmegaConf.to_object(cfg))
    problems += contradictions(config)
    problems += [
        f"{field.name}: no environment variable of the given name is set; give the name of a variable, not the key itself"
        for field in dataclasses.fields(config)
        if field.metadata.get("variable") and (name := getattr(config, field.name)) is not None and not os.environ.get(name)
    ]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return config


def setting_keys(schema: type, prefix: str = "") -> Iterator[str]:
    """The full keys of all settings; those of a section by names have NAME in them."""
    for one in dataclasses.fields(schema):
        if dataclasses.is_dataclass(one.type):
            yield from setting_keys(typing.cast(type, one.type), f"{prefix}{one.name}.")
        else:
            yield f"{prefix}{one.name}" + (".NAME" if typing.get_origin(one.type) is dict else "")


def _known(key: str) -> bool:
    known = set(setting_keys(ServeConfig))
    section, _, name = key.partition(".")
    return key in known or (bool(name) and "." not in name and f"{section}.NAME" in known)
