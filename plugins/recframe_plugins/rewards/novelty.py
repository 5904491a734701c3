"""The novelty reward: higher for less popular items."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition, self_information
from recframe_plugins.rewards.config import NoveltyConfig
from recframe_plugins.rewards.per_catalog import PerCatalog


class Novelty(Reward):
    """r_k = -log2 p(i_k), the self-information of the item's popularity (Zhou et al. 2010, PNAS; Vargas & Castells 2011, RecSys).

    In bits, smoothed as described in `recframe.interfaces.self_information`; with `normalize` divided by the largest value of the
    catalogue, so that in any catalogue the least popular item is worth 1, as much as a click.
    """

    reads_response = False

    def __init__(self, config: NoveltyConfig) -> None:
        self.config = config
        self._novelty = PerCatalog(self._prepare)

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The novelties `[N, K]`."""
        return self._novelty(catalog)[transition.slate]

    def _prepare(self, catalog: Catalog) -> Tensor:
        # the only item of a catalogue has 0 bits of information: avoid dividing by zero
        bits = self_information(catalog.popularity).clamp(min=0.0)
        return (bits / bits.max().clamp(min=1e-12) if self.config.normalize else bits).float()
