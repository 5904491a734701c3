"""Plugins: discovery, isolation, and the registry of what they offer."""

from recframe.plugin_loader.config_folders import address_problem
from recframe.plugin_loader.discovery import discover, raised, registry
from recframe.plugin_loader.interface_version import SUPPORTED
from recframe.plugin_loader.registry import (
    OWN_DISTRIBUTION,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
    Registry,
    UnknownComponent,
)
from recframe.plugin_loader.words import closest, suggestion

__all__ = [
    "OWN_DISTRIBUTION",
    "SUPPORTED",
    "LoadedPlugin",
    "PluginFailure",
    "Registered",
    "RegisteredLogger",
    "Registry",
    "UnknownComponent",
    "address_problem",
    "closest",
    "discover",
    "raised",
    "registry",
    "suggestion",
]
