"""The dwell reward: how long users spent with an item."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import DwellConfig


class Dwell(Reward):
    """r_k = min(dwell_k, maximum) / scale: watch or reading time as a measure of satisfaction (Yi et al. 2014, RecSys).

    Yi et al., "Beyond Clicks: Dwell Time for Personalization", also clip long times, which come from unattended screens.
    Without a maximum the map is linear, so the reward of an expected time is the expected reward, and ranking items by the truth is
    exact; with a maximum it is not.
    """

    def __init__(self, config: DwellConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The times `[N, K]` in units of the scale."""
        dwell: Tensor = transition.response.signals["dwell"]
        if self.config.maximum is not None:
            dwell = dwell.clamp(max=self.config.maximum)
        return dwell / self.config.scale
