"""The diversity reward: a slate of one thing five times is not five recommendations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Catalog, Reward, Transition
from recframe_plugins.rewards.config import DiversityConfig
from recframe_plugins.rewards.text_similarity import TextSimilarity, distance


class Diversity(Reward):
    """How far an item is, on average, from the rest of its slate and from what was shown shortly before:

        r_k = mean over j in O_k of (1 - cos(v_k, v_j)) / 2

    with text vectors v, and for O_k the other items of the slate and the last `window` items of the history before this step. It is
    between 0 and 1, and 0 where O_k is empty. Without the history its mean over the slate is the intra-list distance of Ziegler et
    al. 2005 (WWW, "Improving Recommendation Lists Through Topic Diversification"); comparing with what the user has seen, too, makes
    it a measure for slates of one item (Vargas & Castells 2011, RecSys, "Rank and Relevance in Novelty and Diversity Metrics").
    """

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
        # counted from the front: a window of 0 would count from the back to everything
        recent = history[:, max(history.shape[1] - self.config.window, 0) :]
        others = torch.cat([recent, slate], dim=1)
        itself = F.pad(torch.eye(slate.shape[1], dtype=torch.bool, device=slate.device), (recent.shape[1], 0))
        compared = (others != PAD)[:, None, :] & ~itself
        distances = distance(self.similarity(catalog, slate, others)) * compared
        return distances.sum(dim=2) / compared.sum(dim=2).clamp(min=1)
