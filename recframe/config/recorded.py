"""A config in the form in which it is recorded: interpolations filled in, except those of environment variables, which may be secrets."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:")
REFERENCE = re.compile(r"\$\{\s*([\w.\[\]]+)\s*\}")


def recorded(cfg: DictConfig) -> dict[str, Any]:
    """The plain values of a config. A value that contains an environment variable, also by way of another setting, stays unresolved."""
    plain: Any = OmegaConf.to_container(cfg, resolve=False)
    # most configs are filled in already, and walking through one node by node takes as long as a small evaluation
    values: dict[str, Any] = _recorded(cfg, cfg) if _refers(plain) else plain
    return values


def logger_settings(cfg: DictConfig) -> dict[str, Any]:
    """The settings of the loggers of a run, by name, with interpolations filled in, but for tags: these are only written down."""
    settings: Any = OmegaConf.to_container(cfg.logger, resolve=True)
    as_written = recorded(cfg)["logger"]
    return {name: {**own, **{key: as_written[name][key] for key in ("tags",) if key in own}} for name, own in settings.items()}


def _refers(value: Any) -> bool:
    """Whether there is an interpolation in plain values."""
    if isinstance(value, str):
        return "${" in value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_refers, inner))


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
    if isinstance(raw, str) and leads_to_environment(raw, OmegaConf.to_container(cfg, resolve=False)):
        return raw
    return _recorded(node[key], cfg)


def leads_to_environment(text: str, config: Any, seen: frozenset[str] = frozenset()) -> bool:
    """Whether an interpolation leads to an environment variable. `config` is the whole config, as plain values that are not filled in."""
    if ENVIRONMENT.search(text):
        return True
    for name in set(REFERENCE.findall(text)) - seen:
        value: Any = config
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and leads_to_environment(value, config, seen | {name}):
            return True
    return False
