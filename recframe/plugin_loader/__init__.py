"""Plugins: discovery, isolation, and the registry of what they offer."""

from recframe.plugin_loader.config_folders import BUILT_IN, ConfigFolder, address_problem
from recframe.plugin_loader.discovery import discover, raised, registry
from recframe.plugin_loader.interface_version import SUPPORTED
from recframe.plugin_loader.registry import (
    OWN_DISTRIBUTION,
    SESSION,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
    Registry,
    UnknownComponent,
)
from recframe.plugin_loader.schemas import check_schema
from recframe.plugin_loader.words import closest, suggestion

__all__ = [
    "BUILT_IN",
    "OWN_DISTRIBUTION",
    "SESSION",
    "SUPPORTED",
    "ConfigFolder",
    "LoadedPlugin",
    "PluginFailure",
    "Registered",
    "RegisteredLogger",
    "Registry",
    "UnknownComponent",
    "address_problem",
    "check_schema",
    "closest",
    "discover",
    "raised",
    "registry",
    "suggestion",
]
