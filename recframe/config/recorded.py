"""A config in the form in which it is recorded: interpolations filled in, except those of environment variables, which may be secrets."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:")
REFERENCE = re.compile(r"\$\{\s*([\w.\[\]]+)\s*\}")


def recorded(cfg: DictConfig) -> dict[str, Any]:
    """The plain values of a config. A value that contains an environment variable, also by way of another setting, stays unresolved."""
    values: dict[str, Any] = _recorded(cfg, cfg)
    return values


def _recorded(node: Any, cfg: DictConfig) -> Any:
    if isinstance(node, DictConfig) and not (node._is_none() or node._is_missing() or node._is_interpolation()):
        return {key: _entry(node, key, cfg) for key in node}
    if isinstance(node, ListConfig) and not (node._is_none() or node._is_missing() or node._is_interpolation()):
        return [_entry(node, index, cfg) for index in range(len(node))]
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _entry(node: Any, key: Any, cfg: DictConfig) -> Any:
    if OmegaConf.is_missing(node, key):
        return "???"
    raw = OmegaConf.to_container(node, resolve=False)[key] if OmegaConf.is_interpolation(node, key) else None  # type: ignore[index]
    if isinstance(raw, str) and _of_the_environment(raw, cfg, set()):
        return raw
    return _recorded(node[key], cfg)


def _of_the_environment(text: str, cfg: DictConfig, seen: set[str]) -> bool:
    """Whether an interpolation leads to an environment variable."""
    if ENVIRONMENT.search(text):
        return True
    raw = OmegaConf.to_container(cfg, resolve=False)
    for name in set(REFERENCE.findall(text)) - seen:
        value: Any = raw
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and _of_the_environment(value, cfg, seen | {name}):
            return True
    return False
