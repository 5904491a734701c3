"""The fairness reward: steers the exposure of groups of items towards target shares."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.components import require_consistent
from recframe.interfaces import PAD, Catalog, DataError, Reward, Transition
from recframe_plugins.rewards.config import FairnessConfig
from recframe_plugins.rewards.item_groups import ItemGroups, groups_by_attribute, groups_by_popularity
from recframe_plugins.rewards.per_catalog import PerCatalog


class FairnessTables(NamedTuple):
    """numbers: `[M]` int64, each item's group.   due: `[G]` float32, the target share of exposure of each group; sums to 1."""

    numbers: Tensor
    due: Tensor


class Fairness(Reward):
    """The exposure that the item's group lacks relative to its target share (negative: the excess):

        r_k = due_g - share_g,    g the group of item k

    share_g is the group's share of all exposures of the batch: all items in the histories and slates of all N users. So the value of an
    item depends on the items shown to all users. It is between -1 and 1, and 0 for all items if every group has its target share.

    Fairness of exposure follows Singh & Joachims 2018 (KDD, "Fairness of Exposure in Rankings"). Paying the error to every item of the
    group is the proportional controller of Morik et al. 2020 (SIGIR, "Controlling Fairness and Bias in Dynamic Learning-to-Rank"); its
    gain is the weight of this reward.

    Raises
    ------
    ValueError: `shares` are negative or do not sum to 1.
    """

    reads_response = False

    def __init__(self, config: FairnessConfig) -> None:
        require_consistent(config)
        self.config = config
        self._tables = PerCatalog(self._prepare)

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The credit of each item's group, `[N, K]` in [-1, 1].

        Raises
        ------
        DataError: the items cannot be grouped, or `shares` does not name exactly the existing groups.
        """
        numbers, due = self._tables(catalog)
        # PAD is what a history lacks, and what is not shown of a slate
        shown = torch.cat([transition.observation.history_items, transition.slate], dim=1)
        # PAD is counted in an extra last group, which is dropped
        groups = numbers[shown.clamp(min=0)].masked_fill(shown == PAD, len(due))
        exposures = torch.zeros(len(due) + 1, dtype=torch.int64, device=due.device)
        exposures = exposures.scatter_add_(0, groups.flatten(), torch.ones_like(groups.flatten()))[:-1]
        credit = due - exposures / exposures.sum()
        return credit[numbers[transition.slate]]

    def _prepare(self, catalog: Catalog) -> FairnessTables:
        attribute = self.config.attribute
        groups = groups_by_popularity(catalog, self.config.head_share) if attribute is None else groups_by_attribute(catalog, attribute)
        return FairnessTables(groups.numbers, self._due(groups, catalog).float())

    def _due(self, groups: ItemGroups, catalog: Catalog) -> Tensor:
        """The target shares of the groups, `[G]` float64."""
        shares, popularity = self.config.shares, catalog.popularity
        if shares:
            if set(shares) != set(groups.names):
                raise DataError(f"reward.fairness.shares names {', '.join(shares)}; name each of the groups: {_shortened(groups.names)}")
            due = torch.tensor([shares[name] for name in groups.names], dtype=torch.float64, device=popularity.device)
            return due / due.sum()
        if self.config.target == "popularity":
            if not popularity.any():
                raise DataError("reward.fairness.target is popularity, but no item has any popularity; use items or equal")
            return groups.share_of(popularity)
        if self.config.target == "items":
            return groups.share_of(torch.ones_like(popularity))
        return torch.full((len(groups.names),), 1.0 / len(groups.names), dtype=torch.float64, device=popularity.device)


def _shortened(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
