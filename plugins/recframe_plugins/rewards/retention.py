"""The retention reward: users stay, or return after leaving."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import RetentionConfig
from recframe_plugins.rewards.equal_shares import equal_shares, shown_in


class Retention(Reward):
    """1 for a step after which the user stays, and the signal "return" for a step after which the user leaves:

        r_k = 1 / K                                  the user stays
        r_k = (1 / K) mean over the slate of return  the user leaves, and the environment has the signal "return"
        r_k = 0                                      the user leaves, and it has none

    where K is the number of items that are shown, so the sum over the slate is between 0 and 1.

    The sum over a session's stays is the depth of the session. Zou et al. 2019 (KDD,
    "Reinforcement Learning to Optimize Long-term User Engagement in Recommender Systems") reward it together with the time until the next
    session; Cai et al. 2023 (WWW, "Reinforcing User Retention in a Billion Scale Short Video Recommender System") reward only the return.
    A user whose session is truncated by its time limit counts as staying.
    """

    def __init__(self, config: RetentionConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """An equal share of the step's retention for each item, `[N, K]` in [0, 1/K]; 0 where none is shown."""
        response = transition.response
        stays = (~response.leave).float()
        if "return" in response.signals.keys():  # noqa: SIM118  # a TensorDict iterates over rows
            shown = shown_in(transition)
            returns = (response.signals["return"] * shown).sum(dim=1) / shown.sum(dim=1).clamp(min=1)
            stays = torch.where(response.leave, returns, stays)
        return equal_shares(stays, transition)
