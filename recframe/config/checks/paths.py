"""Paths in a config, made absolute when a run starts, so that its config means the same from every folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf


def make_paths_absolute(section: DictConfig, schema: type) -> None:
    """Replace, in place, the relative paths in a section by absolute ones; `schema` says which options are paths.

    Paths that must exist are also expanded (`~`) and free of links: another user's home, or a link that is moved to newer data, must not
    change the run.
    """
    for field in dataclasses.fields(schema):
        if field.name not in section or OmegaConf.is_missing(section, field.name):
            continue
        value = section[field.name]
        if isinstance(value, DictConfig) and dataclasses.is_dataclass(field.type):
            make_paths_absolute(value, field.type)  # type: ignore[arg-type]
        elif isinstance(value, (str, ListConfig)):
            entries = [value] if isinstance(value, str) else list(value)
            absolute = [_absolute(entry, field.metadata) for entry in entries]
            written = OmegaConf.is_interpolation(section, field.name) and _is_path(field.metadata)
            if absolute != entries or written:
                section[field.name] = absolute[0] if isinstance(value, str) else absolute


def _is_path(metadata: Mapping[str, Any]) -> bool:
    """Whether an option is a path. A path is recorded in full, also where an environment variable gave it."""
    return bool(metadata.get("exists") or metadata.get("path"))


def reads_a_folder(schema: type) -> bool:
    """Whether an option of a component's config may name a folder, such as that of a model."""
    return any(field.metadata.get("path") == "folder" for field in dataclasses.fields(schema))


def _absolute(value: Any, metadata: Mapping[str, Any]) -> Any:
    """The absolute path, or the value itself if it is none."""
    if not isinstance(value, str) or not value:
        return value
    path = Path(value).expanduser()
    if (metadata.get("exists") and path.exists()) or (metadata.get("path") == "folder" and path.is_dir()):
        return str(path.resolve())
    if metadata.get("path") == "any" and not path.is_absolute():
        return str(path.absolute())
    return value
