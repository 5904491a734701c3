"""plugins.json: which distribution and version each component and hook of a run came from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from recframe.config import TRAIN, App, chosen_components
from recframe.hookspecs import RUN_HOOKS
from recframe.plugin_loader import (
    SESSION,
    Registered,
    RegisteredLogger,
    came_from,
    plugin_in_words,
    read_offers,
    record_path,
    registry,
    state_now,
)
from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import PLUGINS_NAME

log = logging.getLogger(__name__)

Origin = dict[str, str]


def provenance(cfg: DictConfig, app: App = TRAIN) -> dict[str, Any]:
    """The origins of a valid config's components and loggers by their keys, and of the plugins whose hooks a run calls, by hook.

    A pretraining calls no hooks of runs.

    An origin has the `plugin` (entry point), the `distribution` and its `version`; that of a component also its `name`.
    """
    found = registry()
    components = {}
    for key, component in chosen_components(cfg, app).items():
        registered = found.registered(component)
        components[key] = {"name": component.name, **_claimed_by(registered)}
    loggers = {f"logger.{name}": {"name": name, **_claimed_by(found.logger(str(name)))} for name in cfg.get("logger", {})}
    hooks = {
        hook: [_origin(plugin, distribution) for plugin, distribution, _ in found.callers(hook)]
        for hook in (RUN_HOOKS if app is TRAIN else ())
    }
    return {"components": components, "loggers": loggers, "hooks": {hook: origins for hook, origins in hooks.items() if origins}}


def _claimed_by(claim: Registered | RegisteredLogger) -> Origin:
    return {"plugin": claim.plugin, "distribution": claim.distribution, "version": claim.version}


def _origin(plugin: str, distribution: str) -> Origin:
    return {"plugin": plugin, "distribution": distribution, "version": registry().versions.get(distribution, "?")}


def write_provenance(folder: Path, cfg: DictConfig) -> dict[str, Any]:
    """Write plugins.json, and return its content."""
    content = provenance(cfg)
    atomic_write(folder / PLUGINS_NAME, json.dumps(content, indent=2) + "\n")
    return content


def remember_offers() -> None:
    """Add what third-party plugins offer to the record of this machine, which says after an uninstall where a name came from."""
    known = read_offers()
    offers = registry().third_party_offers()
    if offers.items() <= known.items():
        return
    # the record only adds to messages, so that no run fails for it
    with suppress(OSError):
        record_path().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(record_path(), json.dumps({**known, **offers}, indent=1, sort_keys=True) + "\n")


def read_provenance(folder: Path) -> dict[str, Any]:
    """The content of plugins.json; empty for runs of earlier releases, and if the file cannot be read."""
    try:
        content = json.loads((folder / PLUGINS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def missing_plugin(folder: Path, key: str) -> str:
    """In words, where the component or logger at this key came from; empty if that is not known, or if it is installed as it was."""
    recorded = read_provenance(folder)
    origin = {**recorded.get("components", {}), **recorded.get("loggers", {})}.get(key)
    if not isinstance(origin, Mapping) or _version_now(origin) == origin.get("version"):
        return ""
    if origin.get("distribution") == SESSION:
        return f"It came from {_in_words(origin)}, which is {_state(origin)}"
    return came_from(origin, registry().versions)


def report_changes(folder: Path) -> None:
    """Log which plugins of a run have another version now, or are missing."""
    recorded = read_provenance(folder)
    named = [*recorded.get("components", {}).values(), *recorded.get("loggers", {}).values()]
    origins = [*named, *(one for hook in recorded.get("hooks", {}).values() for one in hook)]
    changed = {}
    for origin in origins:
        if isinstance(origin, Mapping) and _version_now(origin) != origin.get("version"):
            changed[_in_words(origin)] = origin
    for origin in changed.values():
        log.warning("the run was made with %s, which is %s: its numbers may change", _in_words(origin), _state(origin))


def _version_now(origin: Mapping[str, Any]) -> str | None:
    """The version of the same distribution, or of the session's class of the same name, now; None: there is none."""
    if origin.get("distribution") != SESSION:
        return registry().versions.get(str(origin.get("distribution")))
    found = registry().components()
    return next((one.version for one in found if one.distribution == SESSION and one.component.name == origin.get("name")), None)


def _in_words(origin: Mapping[str, Any]) -> str:
    if origin.get("distribution") == SESSION:
        return f"the class {origin.get('name')!r}, registered in a Python session ({origin.get('version')})"
    return plugin_in_words(origin)


def _state(origin: Mapping[str, Any]) -> str:
    now = _version_now(origin)
    if origin.get("distribution") == SESSION:
        return "not registered now; use recframe.registered" if now is None else f"another one now ({now})"
    return state_now(str(origin.get("distribution")), registry().versions)
