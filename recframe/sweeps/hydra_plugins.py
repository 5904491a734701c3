"""Launchers and sweepers of recframe's own, registered with Hydra in recframe's own apps only.

Hydra instantiates plugins of the package `hydra_plugins` alone, and imports each module of that package in every Hydra program of the
environment. So nothing is installed there: a module of it exists in the processes of recframe's apps.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

PACKAGE = "hydra_plugins"
MODULE = f"{PACKAGE}.recframe"


def register_plugin(plugin: type[Plugin]) -> None:
    """Let Hydra find a launcher or sweeper under the `_target_` "hydra_plugins.recframe.CLASS", once a process."""
    plugins = Plugins.instance()
    if plugin in plugins.discover(Plugin):
        return
    plugin.__module__ = MODULE
    setattr(_module(), plugin.__name__, plugin)
    plugins.register(plugin)


def _module() -> ModuleType:
    if MODULE not in sys.modules:
        try:
            package = import_module(PACKAGE)
        except ModuleNotFoundError:
            # no plugin of Hydra's is installed
            package = sys.modules[PACKAGE] = ModuleType(PACKAGE)
            package.__path__ = []
        sys.modules[MODULE] = ModuleType(MODULE)
        package.recframe = sys.modules[MODULE]  # type: ignore[attr-defined]
    return sys.modules[MODULE]
