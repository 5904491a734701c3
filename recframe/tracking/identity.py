"""identity.json: what determines the result of a run, and the hash of it by which the same run is known again."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from recframe.config.contents import CONTENT
from recframe.config.determining import determining_settings
from recframe.plugin_loader import SESSION, Registered, component_code, registry
from recframe.tracking.atomic import atomic_write
from recframe.tracking.folder import IDENTITY_NAME
from recframe.tracking.logged_values import flat_settings

SCHEMA = 1

LIBRARIES = ("recframe", "torch", "numpy", "pytorch-lightning")
"""Distributions whose versions are part of every run's identity: recframe's own, those that draw random numbers and compute, and the
training loop. Those that read data or texts are not: what they read is compared by `data.json`, and an encoder's fingerprint names what
its vectors depend on."""

TRAINING_HOOK = "recframe_callbacks"
"""The hook by which a plugin that no setting names can change a training."""


@dataclass(frozen=True)
class RunIdentity:
    """What a run is, apart from where it is stored, how it is shown, and what records it.

    Parameters
    ----------
    key: a SHA-256 in hexadecimal. Two runs with one key have the same result, as far as the machine lets them.
    parts: what the key is made of, in JSON's types: `config`, the settings that determine the result; `versions` of libraries; `components`
        by their keys in the config, and `callbacks`, plugins that change every training: each a distribution, its version, and a hash of
        its code. Values of environment variables are in the key, but not in `parts`.
    """

    key: str
    parts: Mapping[str, Any]

    def differences(self, now: RunIdentity) -> list[str]:
        """What `now` has otherwise, one entry for each setting, library and component, such as `agent.gamma: 0.9 then, 0.99 now`."""
        found = list(_config_changes(self.parts["config"], now.parts["config"], everything=True))
        for part in ("versions", "components", "callbacks"):
            then, other = self.parts.get(part, {}), now.parts.get(part, {})
            found += [f"{name}: {_version_change(*pair)}" for name, pair in _changed(then, other)]
        return found

    def write(self, folder: Path) -> None:
        """Write identity.json, atomically."""
        content = {"schema": SCHEMA, "key": self.key, **self.parts}
        atomic_write(folder / IDENTITY_NAME, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def run_identity(cfg: DictConfig) -> RunIdentity:
    """The identity of the run that a valid config describes, whether it was composed or read back from a run's folder.

    Data and models are read to hash them, each file once a process (`recframe.files.content_sha256`).

    Raises
    ------
    UnknownComponent: a component is not there.
    """
    settings = determining_settings(cfg)
    registered = {key: registry().registered(component) for key, component in settings.components.items()}
    parts = {
        "config": settings.written,
        "versions": dict(_library_versions()),
        "components": {key: _origin(one) for key, one in registered.items()},
        "callbacks": dict(_training_plugins()),
    }
    hashed = json.dumps({**parts, "schema": SCHEMA, "config": settings.values}, sort_keys=True, separators=(",", ":"))
    return RunIdentity(hashlib.sha256(hashed.encode("utf-8", "surrogatepass")).hexdigest(), parts)


def read_identity(folder: str | Path) -> RunIdentity | None:
    """The identity of the run in a folder. None: the folder holds no run, one of an earlier release, or a damaged record."""
    try:
        content = json.loads((Path(folder) / IDENTITY_NAME).read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            return None
        key = content.pop("key")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    sound = isinstance(key, str) and all(isinstance(content.get(name), dict) for name in ("config", "versions", "components", "callbacks"))
    return RunIdentity(key, content) if sound else None


def edited_settings(identity: RunIdentity, recorded: DictConfig) -> list[str]:
    """The settings of a run's recorded config, not filled up with defaults, that are not those that the run was started with.

    The device may be another one, and a setting that recframe did not have then may be null now. Whether data and models are those of the
    run is compared when they are loaded.
    """
    now = determining_settings(recorded, as_recorded=True).written
    return list(_config_changes(identity.parts["config"], now, everything=False))


def changed_libraries(identity: RunIdentity, now: RunIdentity) -> list[str]:
    """The libraries with another version now, and the components whose code is another under an unchanged version."""
    libraries = [f"{name}: {_version_change(*pair)}" for name, pair in _changed(identity.parts["versions"], now.parts["versions"])]
    pairs = _changed(identity.parts["components"], now.parts["components"])
    code = [f"{name}: {_version_change(*pair)}" for name, pair in pairs if _release(pair[0]) == _release(pair[1])]
    return libraries + code


def _config_changes(then: Mapping[str, Any], now: Mapping[str, Any], everything: bool) -> Iterator[str]:
    for key, pair in _changed(dict(flat_settings(then)), dict(flat_settings(now))):
        content = any(_is_content(value) for value in pair)
        if content and everything:
            yield f"{key}: its content is another"
        elif not content and (everything or (key != "device" and pair != (_MISSING, None))):
            yield f"{key}: {_in_words(pair[0])} then, {_in_words(pair[1])} now"


def _origin(registered: Registered) -> str:
    """A component's distribution, version and code: `recframe-patience 0.1 code 0123456789ab`."""
    code = component_code(registered)
    words = [registered.distribution, registered.version, *([] if code is None else ["code", code[:12]])]
    return " ".join(words)


@functools.cache
def _library_versions() -> tuple[tuple[str, str], ...]:
    # without the build, such as +cpu: where a run computes is its setting `device`
    return tuple((name, metadata.version(name).partition("+")[0]) for name in LIBRARIES)


def _training_plugins() -> Iterator[tuple[str, str]]:
    for plugin, distribution, _ in registry().callers(TRAINING_HOOK):
        if distribution != SESSION:
            yield f"{distribution}:{plugin}", registry().versions.get(distribution, "?")


_MISSING = object()


def _is_content(value: Any) -> bool:
    """Whether a value stands for the content of a path, or of several."""
    return any(isinstance(entry, str) and entry.startswith(CONTENT) for entry in (value if isinstance(value, list) else [value]))


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in dict.fromkeys([*then, *now]):
        pair = then.get(name, _MISSING), now.get(name, _MISSING)
        if pair[0] != pair[1]:
            yield name, pair


def _version_change(then: Any, now: Any) -> str:
    if _release(then) == _release(now):
        return f"the code of {_release(then)} has changed"
    return f"{_release(then)} then, {_release(now)} now"


def _release(version: Any) -> str:
    """A distribution and its version without the hash of its code."""
    return "none" if version is _MISSING else str(version).partition(" code ")[0]


def _in_words(value: Any) -> str:
    return "nothing" if value is _MISSING else json.dumps(value, ensure_ascii=False)
