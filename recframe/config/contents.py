"""Contents in place of paths: what the settings of a run mean, wherever its files are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from recframe.config.policy_folder import PolicyFolder
from recframe.config.problems import ConfigError
from recframe.files import content_sha256

CONTENT = "content of sha256 "
"""How the hash that stands in place of a path begins."""


def use_contents(section: dict[str, Any], schema: type) -> None:
    """Replace, in place, the paths that `schema` declares by their content, and remove those that need not exist.

    Options on which no result depends are removed, too.
    """
    for field in dataclasses.fields(schema):
        value = section.get(field.name)
        if isinstance(value, dict) and dataclasses.is_dataclass(field.type):
            use_contents(value, field.type)  # type: ignore[arg-type]
        elif field.metadata.get("path") == "any" or not field.metadata.get("determines", True):
            section.pop(field.name, None)
        elif field.metadata.get("path") == "policy":
            section[field.name] = _policy(value)
        elif field.metadata.get("exists") or field.metadata.get("path") == "folder":
            section[field.name] = _content(value, only_folders=not field.metadata.get("exists"))


def _content(value: Any, only_folders: bool) -> Any:
    """The content of a path in words, or of each of a list; the value itself if nothing is there, such as the name of a model."""
    if isinstance(value, list):
        return [_content(entry, only_folders) for entry in value]
    if not isinstance(value, str) or not value or value == "???":
        return value
    path = Path(value).expanduser()
    try:
        if path.is_dir() or (path.is_file() and not only_folders):
            return f"{CONTENT}{content_sha256(path)}"
    except OSError:
        # what cannot be read is reported where it is loaded
        return value
    return value


def _policy(value: Any) -> Any:
    """The version of a trained policy; the value itself if there is none."""
    try:
        return value if not isinstance(value, str) else f"{CONTENT}{PolicyFolder.read(Path(value)).version}"
    except ConfigError:
        return value
