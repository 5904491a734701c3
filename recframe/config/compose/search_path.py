"""Hydra's search path for YAML: recframe's own `conf`, the folders of plugins, and `./conf` in the working directory."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from recframe.plugin_loader import registry

USER_FOLDER = "conf"
OWN_PACKAGE = "recframe.conf"
OWN_CONFIGS = f"pkg://{OWN_PACKAGE}"


class RecframeSearchPath(SearchPathPlugin):
    """Adds these folders to the search path of recframe's own apps, and of no other Hydra program."""

    config_dir: ClassVar[str | None] = None
    """The folder of `--config-dir`, while a config is composed outside an app."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders after recframe's own: the first match wins, so an unrelated `./conf/config.yaml` has no effect."""
        if not any(element.path == OWN_CONFIGS for element in search_path.get_path()):
            return
        for address in registry().config_paths:
            search_path.append(provider="recframe-plugins", path=address)
        if self.config_dir is not None:
            search_path.append(provider="command-line", path=f"file://{Path(self.config_dir).resolve()}")
        folder = Path.cwd() / USER_FOLDER
        if folder.is_dir() and folder.resolve() != Path(str(files(OWN_PACKAGE))).resolve():
            search_path.append(provider="user", path=f"file://{folder}")


def install_search_path() -> None:
    """Register the search path with Hydra, once a process."""
    plugins = Plugins.instance()
    if RecframeSearchPath not in plugins.discover(SearchPathPlugin):
        plugins.register(RecframeSearchPath)
