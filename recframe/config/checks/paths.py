"""Paths in a config, made absolute when a run starts, so that its config means the same from every folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from recframe.components.options import MOMENT_MARGIN


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
        elif isinstance(value, str) and field.metadata.get("database"):
            section[field.name] = _absolute_database(value)
        elif isinstance(value, (str, ListConfig)):
            entries = [value] if isinstance(value, str) else list(value)
            absolute = [_absolute(entry, field.metadata) for entry in entries]
            written = OmegaConf.is_interpolation(section, field.name) and is_path(field.metadata)
            if absolute != entries or written:
                section[field.name] = absolute[0] if isinstance(value, str) else absolute


def _absolute_database(url: str) -> str:
    """The address of an SQLite file with its absolute path; any other address as it is."""
    start, found, path = url.partition("sqlite:///")
    if start or not found or not path:
        return url
    return f"sqlite:///{Path(path).expanduser().absolute()}"


def fill_moments(section: DictConfig, schema: type, now: datetime) -> None:
    """Let options that stand for the moment of the start, because they are null, hold it."""
    for field in dataclasses.fields(schema):
        if field.metadata.get("moment") and field.name in section and section[field.name] is None:
            section[field.name] = (now - timedelta(seconds=MOMENT_MARGIN)).isoformat()


def is_path(metadata: Mapping[str, Any]) -> bool:
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
    if (metadata.get("exists") and path.exists()) or (metadata.get("path") in ("folder", "policy") and path.is_dir()):
        return str(path.resolve())
    if metadata.get("path") in ("any", "policy") and not path.is_absolute():
        return str(path.absolute())
    return value
