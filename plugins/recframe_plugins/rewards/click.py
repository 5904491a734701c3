"""The click reward."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import ClickConfig


class Click(Reward):
    """1 for an item that was clicked, 0 otherwise."""

    def __init__(self, config: ClickConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The clicks `[N, K]`."""
        clicks: Tensor = transition.response.signals["click"]
        return clicks
