"""The retention reward: that people stay, and that those who leave come back, whatever it is they do meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import RetentionConfig


class Retention(Reward):
    """1 for a step after which the user goes on, and for one after which the user leaves the worth of the coming back:

        r_k = 1 / K                                  the user stays
        r_k = (1 / K) mean over the slate of return  the user leaves, and the environment has the signal "return"
        r_k = 0                                      the user leaves, and it has none

    so that the slate's sum is between 0 and 1. The stays add up to the depth of the session, which is, with the time until the next
    one, what Zou et al. 2019 (KDD, "Reinforcement Learning to Optimize Long-term User Engagement in Recommender Systems") reward;
    Cai et al. 2023 (WWW, "Reinforcing User Retention in a Billion Scale Short Video Recommender System") reward the return alone.
    A session cut by its time limit counts as going on.
    """

    def __init__(self, config: RetentionConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The same share of the step's retention for each item, `[N, K]` in [0, 1/K]."""
        response, shape = transition.response, transition.item_reward.shape
        stays = (~response.leave).float()
        if "return" in response.signals.keys():  # noqa: SIM118  # a TensorDict iterates over rows
            stays = torch.where(response.leave, response.signals["return"].mean(dim=1), stays)
        return (stays / shape[1])[:, None].expand(shape)
