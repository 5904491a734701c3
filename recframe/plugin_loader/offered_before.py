"""What plugins offered to earlier runs on this machine, so that an error about a missing name can say which package had it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recframe.files import usual_cache


def record_path() -> Path:
    """The file in recframe's cache with the plugin, distribution and version behind each name, as {"reward=stay": {...}}."""
    return usual_cache() / "plugins.json"


def read_offers() -> dict[str, Any]:
    """The record; empty if there is none that can be read, as it only adds to messages."""
    try:
        content = json.loads(record_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def offered_before(group: str, name: str, loaded: Mapping[str, str]) -> str:
    """A sentence, to be appended: which plugin a missing component, logger or config came from; '' if that is not known.

    loaded: the versions of the distributions whose plugins are loaded.
    """
    origin = read_offers().get(f"{group}={name}")
    if not isinstance(origin, dict) or not {"plugin", "distribution", "version"} <= set(origin):
        return ""
    if loaded.get(origin["distribution"]) == origin["version"]:
        return ""
    return f". {came_from(origin, loaded)}"


def came_from(origin: Mapping[str, Any], loaded: Mapping[str, str]) -> str:
    """In words, where something came from, and what became of it."""
    return f"It came from {plugin_in_words(origin)}, which is {state_now(str(origin.get('distribution')), loaded)}"


def plugin_in_words(origin: Mapping[str, Any]) -> str:
    """A plugin with its distribution and version."""
    return f"plugin {origin.get('plugin')!r} of {origin.get('distribution')} {origin.get('version')}"


def state_now(distribution: str, loaded: Mapping[str, str]) -> str:
    """In words, what became of a distribution: another version, left out, or not installed."""
    if distribution in loaded:
        return f"version {loaded[distribution]} now"
    try:
        version(distribution)
    except PackageNotFoundError:
        return "not installed"
    return "installed, but was left out"
