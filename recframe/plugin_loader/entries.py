"""The entries of the registry: what plugins offer and where it came from, the loaded plugins, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

from recframe.components import Component, LoggerComponent

OWN_DISTRIBUTION = "recframe"
SESSION = "session"
"""In place of a distribution: the component was registered in the Python session (`recframe.registered`), by no plugin."""
ENVIRONMENT_VARIABLE = "RECFRAME_PLUGINS"


@dataclass(frozen=True)
class Registered:
    """A component and the plugin that registered it."""

    component: Component
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True)
class RegisteredLogger:
    """A logger and the plugin that registered it."""

    component: LoggerComponent
    plugin: str
    distribution: str
    version: str


Claim = Registered | RegisteredLogger
"""A claim on a name: each kind of component and the loggers have names of their own."""


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that was loaded: its entry point, distribution and version, the version of the interface that it states, and its hooks."""

    plugin: str
    distribution: str
    version: str
    interface: int
    hooks: tuple[str, ...]


@dataclass(frozen=True)
class PluginFailure:
    """A plugin, or a part of one, that could not be loaded: the cause and the fix. `distribution` is empty if none is installed.

    claim: the taken name that it claimed, as (kind, config group or "command"; name), or None.
    """

    plugin: str
    distribution: str
    cause: str
    fix: str
    part: str = "plugin"
    claim: tuple[str, str] | None = None

    def __str__(self) -> str:
        origin = f" of {self.distribution}" if self.distribution else ""
        return f"{self.part} {self.plugin!r}{origin} was left out: {self.cause}. {self.fix}"
