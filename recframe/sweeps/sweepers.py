"""recframe's own sweepers, registered with Hydra."""

from __future__ import annotations

from typing import cast

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from recframe.config.schema.search import TARGET
from recframe.sweeps.grid import GridSweeper
from recframe.sweeps.optuna.sweeper import OptunaSweeper

GRID = "hydra_plugins.recframe.GridSweeper"
"""The name of the grid sweeper in conf/hydra/sweeper/grid.yaml."""


def register_sweepers() -> None:
    """Let Hydra find the sweepers.

    Hydra instantiates plugins of the package `hydra_plugins` only, and every Hydra program of the environment imports all that is in it.
    So there is no such module: the classes are registered under names of it.
    """
    plugins = Plugins.instance()
    for name, sweeper in {GRID: GridSweeper, TARGET: OptunaSweeper}.items():
        plugins.register(cast(type[Plugin], sweeper))
        plugins.class_name_to_class[name] = cast(type[Plugin], sweeper)
