"""recframe's own launchers, registered with Hydra."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from recframe.sweeps.ray.config import RayLauncherConfig
from recframe.sweeps.ray.launcher import RayLauncher


def register_launchers() -> None:
    """Let Hydra find the launchers. An installed plugin of the same name is replaced: its config was stored before.

    Hydra instantiates plugins of the package `hydra_plugins` only, and every Hydra program of the environment imports all that is in it.
    So there is no such module: the classes are registered under names of it.
    """
    plugins = Plugins.instance()
    plugins.register(RayLauncher)
    plugins.class_name_to_class[RayLauncherConfig._target_] = RayLauncher
    ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConfig, provider="recframe")
