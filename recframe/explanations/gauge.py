"""How items stand with a policy in many observations: by its scores, or, without scores, by their places."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.explanations.explanation import Measure
from recframe.interfaces import Agent, Observation
from recframe.serving.prepared import PreparedAgent

PLACES = 100
"""The places of the ranking that are looked at, for policies with scores."""

COMPARED = 1_000
"""Items of the catalogue, evenly spread, whose scores an item's score is compared with."""

MAX_PLACES = 2**24
"""Items of rankings, or scores times their dimensions, that are held at once."""


class Standings(NamedTuple):
    """How k items stand in V observations.

    standing: `[V, k]`, leads or places with a minus: the larger, the better.   scores: `[V, k]`, or None: the policy tells none.
    places: `[V, k]` int64, from 1; 0: beyond those that were looked at, or not allowed.
    first: `[V, F]` int64, the items that come first, `PAD` where fewer may be shown.
    spread: `[V]`, the interquartile range of the scores of the items that are compared with.
    """

    standing: Tensor
    scores: Tensor | None
    places: Tensor
    first: Tensor
    spread: Tensor | None


class Gauge:
    """Measures how some items stand.

    What raises the scores of all items alike, such as the value of a state, is no reason for one of them: so an item's score is compared
    with the median of the catalogue's. It is not the mean, as some policies mark items of the history by scores far below all others.

    Parameters
    ----------
    prepared: the agent.   ranks: whether it implements `rank`.   items: the numbers of the k items.   first: F, of `Standings`.
    """

    def __init__(self, prepared: PreparedAgent, ranks: bool, items: list[int], first: int) -> None:
        self.prepared = prepared
        self.agent: Agent = prepared.agent
        self.ranks = ranks
        self.items = torch.tensor(items)
        self.first = first
        self.num_items = self.agent.spec.num_items
        self.compared = torch.linspace(0, self.num_items - 1, min(COMPARED, self.num_items), dtype=torch.float64).round().long().unique()
        self.measure: Measure = "place"  # until it is known that there are scores

    def __call__(self, observation: Observation) -> Standings:
        """How the items stand in V observations, computed together as far as memory allows."""
        size = max(1, MAX_PLACES // (64 * len(self.compared) + self.num_items))
        parts = [self._standings(observation[first : first + size]) for first in range(0, len(observation.user), size)]
        joined = [None if values[0] is None else torch.cat(values) for values in zip(*parts, strict=True)]
        return Standings(*joined)  # type: ignore[arg-type]

    def leads(self, observation: Observation, items: Tensor) -> Tensor:
        """The leads `[V, C]` of `items` `[V, C]`; with gradient, if it is enabled and the agent's scores have one."""
        scores = scores_with_gradient(self.agent, observation, self._with_compared(items))
        return _leads(scores, items.shape[1])

    def _with_compared(self, items: Tensor) -> Tensor:
        return torch.cat([items, self.compared.expand(len(items), -1)], dim=1)

    def _standings(self, observation: Observation) -> Standings:
        people, prepared = len(observation.user), self.prepared
        items = self.items.expand(people, -1)
        if not self.ranks:
            slates = prepared.slates(observation)
            return _by_places(_places(slates, items), slates.shape[1] + 1, slates[:, : self.first])
        scores = prepared.scores(observation, self._with_compared(items))
        first = prepared.rank(observation, self.first)
        depth = self.num_items if scores is None else min(self.num_items, max(PLACES, self.first))
        places = _deep_places(first, prepared.rank(observation, depth), items)
        if scores is None:
            return _by_places(places, depth + 1, first)
        self.measure = "lead"
        quartiles = scores[:, items.shape[1] :].float().quantile(torch.tensor([0.25, 0.75]), dim=1)
        lead, own = _leads(scores, items.shape[1]), scores[:, : items.shape[1]]
        return Standings(lead, own, places, first, quartiles[1] - quartiles[0])


def scores_with_gradient(agent: Agent, observation: Observation, items: Tensor) -> Tensor:
    """The agent's scores `[V, C]` of `items`, which it must tell, with gradient if that is enabled.

    `Agent.scores_of_items` is called without gradients, and most agents say so by a decorator; what it decorates has them.
    """
    scores: Tensor | None = inspect.unwrap(type(agent).scores_of_items)(agent, observation, items)
    assert scores is not None
    return scores


def _leads(scores: Tensor, k: int) -> Tensor:
    return scores[:, :k] - scores[:, k:].median(dim=1, keepdim=True).values


def _by_places(places: Tensor, last: int, first: Tensor) -> Standings:
    return Standings(-torch.where(places == 0, last, places).float(), None, places, first, None)


def _deep_places(first: Tensor, ranking: Tensor, items: Tensor) -> Tensor:
    """The places of items in the ranking, of which `first` is the part that is shown: among equals, another may come first there."""
    shown, places = _places(first, items), _places(ranking, items)
    below = torch.where(places == 0, 0, places.clamp(min=first.shape[1] + 1))
    return torch.where(shown == 0, below, shown)


def _places(ranking: Tensor, items: Tensor) -> Tensor:
    """The places `[V, k]`, from 1, of `items` `[V, k]` in rankings `[V, R]`; 0: not in them."""
    columns = [(ranking == column.unsqueeze(1)).int() for column in items.T]
    return torch.stack([torch.where(found.any(dim=1), found.argmax(dim=1) + 1, 0) for found in columns], dim=1)
