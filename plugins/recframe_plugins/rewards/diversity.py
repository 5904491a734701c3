"""The diversity reward: the text distance of an item to the rest of its slate and to recently shown items."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Catalog, Reward, Transition
from recframe_plugins.rewards.config import DiversityConfig
from recframe_plugins.rewards.text_similarity import TextSimilarity, distance


class Diversity(Reward):
    """Mean text distance of an item to the rest of its slate and to the recently shown items:

        r_k = mean over j in O_k of (1 - cos(v_k, v_j)) / 2

    with text vectors v. O_k are the other items of the slate and the last `window` items of the history before this step. The reward is
    between 0 and 1, and 0 if O_k is empty. Without the history its mean over the slate is the intra-list distance of Ziegler et
    al. 2005 (WWW, "Improving Recommendation Lists Through Topic Diversification"); comparing with items seen before makes
    it useful for slates of one item (Vargas & Castells 2011, RecSys, "Rank and Relevance in Novelty and Diversity Metrics").
    """

    reads_response = False

    def __init__(self, config: DiversityConfig) -> None:
        self.config = config
        self.similarity = TextSimilarity("diversity")

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The mean distances `[N, K]`.

        Raises
        ------
        DataError: the catalogue has no text vectors.
        """
        slate, history = transition.slate, transition.observation.history_items
        # sliced from the front: -0 as a start from the back would select everything
        recent = history[:, max(history.shape[1] - self.config.window, 0) :]
        others = torch.cat([recent, slate], dim=1)
        itself = F.pad(torch.eye(slate.shape[1], dtype=torch.bool, device=slate.device), (recent.shape[1], 0))
        compared = (others != PAD)[:, None, :] & ~itself
        distances = distance(self.similarity(catalog, slate, others)) * compared
        return distances.sum(dim=2) / compared.sum(dim=2).clamp(min=1)
