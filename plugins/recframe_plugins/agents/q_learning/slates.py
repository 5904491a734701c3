"""The click model of SlateQ, the values of slates under it, and the search for the slate of the highest value."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Observation
from recframe.item_agents import BestItems, QNetwork, QValues, search_items

MAX_UTILITY = 30.0
"""Utilities are clipped here before the exponential: sums of propensities, and products with values, then stay finite."""


class ClickModel(QNetwork):
    """Conditional logit (McFadden, 1974): P(i | s, A) = exp u(s, i) / (1 + sum_{j in A} exp u(s, j)), and the rest for no click.

    The utility u has the form of a Q network: a term for the user, a term for the item, and a term for an item shown before.
    """

    def log_probabilities(self, utilities: Tensor) -> Tensor:
        """log P `[N, K + 1]` of a click on each item of slates, given their `utilities` `[N, K]`, and, last, of no click."""
        return torch.log_softmax(F.pad(utilities, (0, 1)), dim=1)


class SlateScores(NamedTuple):
    """Scores of items as parts of slates for N users, from the items' values Q(s, i) and utilities u(s, i).

    Under the assumptions of SlateQ (Ie et al., 2019: at most one item is chosen, and everything else depends on the slate only through
    that choice), with propensities v = exp u, and Q(s, none) = V(s) if nothing is clicked, the value of a slate is

        Q(s, A) = sum_{i in A or none} P(i | s, A) Q(s, i) = V(s) + sum_{i in A} v_i (Q(s, i) - V(s)) / (1 + sum_{i in A} v_i)
    """

    values: QValues
    utilities: QValues

    def of(self, chosen: Tensor) -> Tensor:
        """v_i (Q(s, i) - V(s)), `[N, C]`, of the items numbered `chosen` `[N, C]`."""
        return self.propensities(chosen) * self.advantages(chosen)

    def between(self, first: int, last: int) -> Tensor:
        """The same for the items from number `first` to before `last`, `[N, last - first]`."""
        utilities = self.utilities.value.unsqueeze(1) + self.utilities.between(first, last)
        return propensity(utilities) * self.values.between(first, last)

    def propensities(self, chosen: Tensor) -> Tensor:
        """v_i `[N, C]`."""
        return propensity(self.utilities.of(chosen))

    def advantages(self, chosen: Tensor) -> Tensor:
        """Q(s, i) - V(s) `[N, C]`: the value of a click on the item less that of no click."""
        return self.values.of(chosen) - self.values.value.unsqueeze(1)

    def slate_value(self, slate: Tensor) -> Tensor:
        """Q(s, A) `[N]` of slates `[N, K]`."""
        gain = self.of(slate).sum(dim=1) / (1.0 + self.propensities(slate).sum(dim=1))
        return self.values.value + gain


def propensity(utilities: Tensor) -> Tensor:
    """v = exp u."""
    return utilities.clamp(-MAX_UTILITY, MAX_UTILITY).exp()


def top_k_slate(observation: Observation, scores: SlateScores, num_items: int, k: int) -> Tensor:
    """The k items of the largest v_i (Q(s, i) - V(s)), `[N, k]`, best first (the paper's top-k optimizer, which has V = 0)."""
    return search_items(observation, scores, num_items, k).items


def greedy_slate(observation: Observation, scores: SlateScores, num_items: int, k: int, shortlist: int) -> Tensor:
    """Slates `[N, k]`, built by adding the item that gives the slate so far the highest value (the paper's greedy optimizer).

    The items come from the `shortlist` best by the score of `top_k_slate`; a shortlist of all items gives exactly the paper's optimizer.
    """
    listed = search_items(observation, scores, num_items, min(max(shortlist, k), num_items))
    return listed.items.gather(1, _greedy_positions(listed, scores.propensities(listed.items), k))


def _greedy_positions(listed: BestItems, propensities: Tensor, k: int) -> Tensor:
    """The positions in the shortlist `[N, S]` of the items of the greedy slate, `[N, k]`."""
    available = listed.scores > -torch.inf
    worth = listed.scores.masked_fill(~available, 0.0)
    gained, weight = torch.zeros_like(worth[:, :1]), torch.ones_like(worth[:, :1])
    positions = []
    for _ in range(k):
        position = ((gained + worth) / (weight + propensities)).masked_fill(~available, -torch.inf).argmax(dim=1, keepdim=True)
        available = available.scatter(1, position, False)
        gained, weight = gained + worth.gather(1, position), weight + propensities.gather(1, position)
        positions.append(position)
    return torch.cat(positions, dim=1)
