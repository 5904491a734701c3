"""The repetition penalty: repeated items tire users even if they are still clicked."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition
from recframe_plugins.rewards.config import RepetitionConfig


class Repetition(Reward):
    """Minus one for an item that is repeated immediately, closer to zero the longer ago it was shown; a positive weight makes it a penalty:

        r_k = -max over j with i_j = i_k of decay^(a_j)

    over the last `window` items of the history before this step, where a_j is the number of items shown after j, and over the items higher
    in the slate, where a_j = 0. Other items earn 0. The penalty decays geometrically while other items are shown, like satiation in Leqi
    et al. 2021 (NeurIPS, "Rebounding Bandits for Modeling Satiation Effects").
    """

    reads_response = False

    def __init__(self, config: RepetitionConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The penalties `[N, K]` in [-1, 0]."""
        slate, recent = transition.slate, transition.observation.history_items[:, -self.config.window :]
        ages = torch.arange(recent.shape[1] - 1, -1, -1, device=slate.device)
        # PAD is not an item number, so padding never equals an item of the slate
        repeated = (slate[:, :, None] == recent[:, None, :]) * torch.pow(self.config.decay, ages)
        higher = (slate[:, :, None] == slate[:, None, :]).tril(-1).any(dim=2)
        return -repeated.amax(dim=2).masked_fill(higher, 1.0)
