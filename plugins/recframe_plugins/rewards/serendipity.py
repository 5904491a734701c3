"""The serendipity reward: clicks on items that differ from everything shown before."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import PAD, Catalog, Reward, Transition
from recframe_plugins.rewards.config import SerendipityConfig
from recframe_plugins.rewards.text_similarity import TextSimilarity, distance


class Serendipity(Reward):
    """Relevance times unexpectedness (Ge et al. 2010, RecSys, "Beyond Accuracy"):

        r_k = click_k  min over j in the last `window` items of the history of (1 - cos(v_k, v_j)) / 2

    Unexpectedness is the distance of text vectors to the most similar item seen, as in Kaminskas & Bridge 2016 (ACM TiiS, "Diversity,
    Serendipity, Novelty, and Coverage", content-based surprise). Without history it is 1, and more
    history can only lower it.
    """

    def __init__(self, config: SerendipityConfig) -> None:
        self.config = config
        self.similarity = TextSimilarity("serendipity")

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The unexpectedness of clicked items, 0 for others, `[N, K]` in [0, 1].

        Raises
        ------
        DataError: the catalogue has no text vectors.
        """
        recent = transition.observation.history_items[:, -self.config.window :]
        cosines = self.similarity(catalog, transition.slate, recent)
        # a cosine of -1 is the distance 1
        nearest = cosines.masked_fill((recent == PAD)[:, None, :], -1.0).amax(dim=2)
        clicks: Tensor = transition.response.signals["click"]
        return clicks * distance(nearest)
