"""The purchase reward."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import PurchaseConfig


class Purchase(Reward):
    """r_k = purchase_k: 1 for an item that was bought, 0 otherwise.

    Together with `click` at a smaller weight it is the reward of Xin et al. 2020 (SIGIR, "Self-Supervised Reinforcement Learning for
    Recommender Systems"): 0.2 for a click, 1 for a purchase.
    """

    def __init__(self, config: PurchaseConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The purchases `[N, K]`."""
        purchases: Tensor = transition.response.signals["purchase"]
        return purchases
