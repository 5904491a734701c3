"""Plugins: discovery, isolation, and the registry of what they offer."""

from recframe.plugin_loader.code import component_code, module_folder, package_root
from recframe.plugin_loader.config_folders import BUILT_IN, ConfigFolder, address_problem
from recframe.plugin_loader.discovery import discover, raised, registry
from recframe.plugin_loader.entries import (
    OWN_DISTRIBUTION,
    SESSION,
    LoadedPlugin,
    PluginFailure,
    Registered,
    RegisteredLogger,
)
from recframe.plugin_loader.interface_version import SUPPORTED
from recframe.plugin_loader.offered_before import came_from, offered_before, plugin_in_words, read_offers, record_path, state_now
from recframe.plugin_loader.registry import Registry, UnknownComponent
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
    "came_from",
    "check_schema",
    "closest",
    "component_code",
    "discover",
    "module_folder",
    "offered_before",
    "package_root",
    "plugin_in_words",
    "raised",
    "read_offers",
    "record_path",
    "registry",
    "state_now",
    "suggestion",
]
