"""The skip reward: what an item costs that was shown and not clicked."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import SkipConfig


class Skip(Reward):
    """r_k = click_k - 1: minus one for an item that was not clicked, 0 for one that was; a positive weight makes it a penalty.

    With `click` at weight 2 and `skip` at weight 1, a click is worth 2 and a skip -1, the rewards that RL4Rec trains with (Liu et al.
    2022, SIGIR, "State Encoders in Reinforcement Learning for Recommendation"; `examples/train.py` of its code).
    """

    def __init__(self, config: SkipConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The penalties `[N, K]`: -1, or 0 where an item was clicked. An expected click gives the expected penalty."""
        clicks: Tensor = transition.response.signals["click"]
        return clicks - 1.0
