"""recframe's own launchers, registered with Hydra."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore

from recframe.sweeps.hydra_plugins import register_plugin
from recframe.sweeps.ray.config import RayLauncherConfig
from recframe.sweeps.ray.launcher import RayLauncher


def register_launchers() -> None:
    """Let Hydra find the launchers. An installed plugin of the same name is replaced: its config was stored before."""
    register_plugin(RayLauncher)
    ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConfig, provider="recframe")
