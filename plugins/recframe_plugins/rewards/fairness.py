"""The fairness reward: steers how much exposure groups of items get towards shares that are due to them."""

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
    """numbers: `[M]` int64, each item's group.   due: `[G]` float32, the share of exposure due to each; they sum to 1."""

    numbers: Tensor
    due: Tensor


class Fairness(Reward):
    """What the item's group lacks of the exposure that is due to it (negative: what it has too much):

        r_k = due_g - share_g,    g the group of item k

    share_g is the group's share of all exposures of the batch: everything in the histories and the slates of all N users, so the
    value of an item depends on what is shown to everybody. It is between -1 and 1, and 0 for all once every group has its due.

    That exposure, not relevance, is what to share out fairly is Singh & Joachims 2018 (KDD, "Fairness of Exposure in Rankings"); paying
    the error to every item of the group is the proportional controller of Morik et al. 2020 (SIGIR, "Controlling Fairness and Bias in
    Dynamic Learning-to-Rank"), whose gain is this reward's weight.

    Raises
    ------
    ValueError: `shares` are negative or do not sum to 1.
    """

    def __init__(self, config: FairnessConfig) -> None:
        require_consistent(config)
        self.config = config
        self._tables = PerCatalog(self._prepare)

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The credit of each item's group, `[N, K]` in [-1, 1].

        Raises
        ------
        DataError: the items cannot be grouped so, or `shares` names other groups than there are.
        """
        numbers, due = self._tables(catalog)
        shown = torch.cat([transition.observation.history_items, transition.slate], dim=1)
        # PAD is counted where it does no harm, in a group of its own behind the others
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
        """The shares due to the groups, `[G]` float64."""
        shares, popularity = self.config.shares, catalog.popularity
        if shares:
            if set(shares) != set(groups.names):
                raise DataError(f"reward.fairness.shares names {', '.join(shares)}; name each of the groups: {_shortened(groups.names)}")
            due = torch.tensor([shares[name] for name in groups.names], dtype=torch.float64, device=popularity.device)
            return due / due.sum()
        if self.config.target == "popularity":
            if not popularity.any():
                raise DataError("reward.fairness.target is popularity, but no item has any; use items or equal")
            return groups.share_of(popularity)
        if self.config.target == "items":
            return groups.share_of(torch.ones_like(popularity))
        return torch.full((len(groups.names),), 1.0 / len(groups.names), dtype=torch.float64, device=popularity.device)


def _shortened(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
