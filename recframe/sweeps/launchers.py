"""recframe's own launchers, registered with Hydra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher

from recframe.sweeps.ray.config import RayLauncherConfig
from recframe.sweeps.ray.launcher import RayLauncher


def register_launchers() -> None:
    """Let Hydra find the launchers. Those of installed plugins of the same names are replaced: their configs were stored before.

    Hydra instantiates plugins of the package `hydra_plugins` only, and every Hydra program of the environment imports all that is in it.
    So there is no such module: the classes are registered under names of it.
    """
    _register("ray", RayLauncherConfig, RayLauncher)
    if Plugins.instance() and find_spec("hydra_plugins.hydra_submitit_launcher"):
        from recframe.sweeps.submitit.config import LocalConfig, SlurmConfig
        from recframe.sweeps.submitit.launcher import LocalLauncher, SlurmLauncher

        _register("submitit_local", LocalConfig, LocalLauncher)
        _register("submitit_slurm", SlurmConfig, SlurmLauncher)


def _register(name: str, config: Any, launcher: type[Launcher]) -> None:
    plugins = Plugins.instance()
    plugins.register(launcher)
    plugins.class_name_to_class[config._target_] = launcher
    ConfigStore.instance().store(group="hydra/launcher", name=name, node=config, provider="recframe")
