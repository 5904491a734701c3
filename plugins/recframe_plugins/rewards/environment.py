"""The environment's own reward, for environments that define one."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import EnvironmentRewardConfig


class EnvironmentReward(Reward):
    """r_k = reward_k: the signal "reward", unchanged.

    This is the reward of a Gymnasium environment's `step` (Towers et al. 2024), so results can be compared with published ones.
    """

    def __init__(self, config: EnvironmentRewardConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The environment's rewards `[N, K]`."""
        rewards: Tensor = transition.response.signals["reward"]
        return rewards
