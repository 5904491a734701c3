"""Scores of items by the product of a query and their vectors plus terms for repetition and a prior, and the Q network that makes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Observation, StateTracker
from recframe.item_agents.item_columns import ItemColumns, ItemRange
from recframe.item_agents.prior_scores import PriorScores, prior_weight


@dataclass(eq=False)
class QueryScores:
    """Scores of items for N users: s(i) = <query, v_i> + repeat [i in the history] + prior(i). They satisfy `ItemScores`.

    query: `[N, d]`.    repeat: `[N]`, the term for an item of the history.    history: `[N, H]` int64.    items: item vectors `[M, d]`.
    prior: the terms of a prior over the candidates, or None.
    """

    query: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor
    prior: PriorScores | None = field(default=None, kw_only=True)

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        again = (chosen.unsqueeze(2) == self.history.unsqueeze(1)).any(dim=2)
        scores = self.products(chosen) + self.repeat.unsqueeze(1) * again
        return scores if self.prior is None else scores + self.prior.of(chosen)

    def products(self, chosen: Tensor) -> Tensor:
        """<query, v_i> `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return torch.einsum("nd,ncd->nc", self.query, F.embedding(chosen, self.items))

    def over(self, columns: ItemColumns) -> Tensor:
        """Scores `[N, m]` of the items in `columns`; -inf in columns that hold no item."""
        scores = columns.add_(self.column_products(columns), self.history, self.repeat)
        return scores if self.prior is None else scores + self.prior.over(columns)

    def column_products(self, columns: ItemColumns) -> Tensor:
        """<query, v_i> `[N, m]` of the items in `columns`; -inf in columns that hold no item."""
        return columns.products(self.query, self.items)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return self.over(ItemRange(first, last))


@dataclass(eq=False)
class QValues(QueryScores):
    """Q(s, i) = value + <query, v_i> + repeat [i in the history] of N states.

    value: `[N]`, V(s), or V(s) less the mean of A(s, .). `over` and `between` leave it out: they rank the items of a state.
    """

    value: Tensor

    def products(self, chosen: Tensor) -> Tensor:
        """value + <query, v_i> `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self.value.unsqueeze(1) + (self.query.unsqueeze(1) * F.embedding(chosen, self.items)).sum(dim=2)


class QNetwork(nn.Module):
    """Q(s, i) = V(s) + A(s, i) + r(s) [i in s's history] + prior(i),  A(s, i) = <W s + w, v_i> / sqrt(d).

    V is the value of the state, A scores an item's vector against the state's query, and r is the gain or cost of showing an item again:
    an inner product cannot single out the few items of the history (compare RepeatNet, Ren et al., 2019).

    All items are scored by one matrix product of queries `[N, d]` and item vectors `[M, d]`; w gives each item a value that does not
    depend on the state. The divisor, attention's, makes the items' values start close together: otherwise the largest of many random
    values would be the first targets.

    The sum of V and A is equation (7) of Wang et al. (2016). With `dueling`, the mean over the items is subtracted from A(s, i), equation
    (9), which makes V the mean value: a constant can then no longer move between the two. Over a working set the mean is that over its
    items: the catalogue's mean with some noise, and with more weight on the items shown.

    Where there is a prior over candidates (`EnvironmentSpec.prior_weight`), its log-probabilities are added at a learned weight.
    """

    def __init__(self, state_tracker: StateTracker, device: torch.device, dueling: bool = False) -> None:
        super().__init__()
        self.dueling = dueling
        self.state_tracker = state_tracker
        self.query = nn.Linear(state_tracker.state_dim, state_tracker.item_dim, device=device)
        self.value = nn.Linear(state_tracker.state_dim, 1, device=device)
        self.repeat = nn.Linear(state_tracker.state_dim, 1, device=device)
        self.prior = prior_weight(state_tracker.spec.prior_weight, device)
        state_tracker.start_query(self.query, 1.0)

    def forward(self, observation: Observation, items: Tensor) -> QValues:
        """Q for each user, given the item vectors `[M, d]`."""
        return self.of_state(self.state_tracker(observation, items), observation, items)

    def of_state(self, state: Tensor, observation: Observation, items: Tensor) -> QValues:
        """The same, given the states `[N, S]` of the observation, which other heads on the tracker can then share."""
        query = self.query(state) / items.shape[1] ** 0.5
        value = self.value(state).squeeze(1)
        if self.dueling:
            # the mean of the products is the product with the mean vector: no pass over the catalogue is needed
            value = value - query @ items.mean(dim=0)
        prior = None if self.prior is None else self.prior(observation)
        return QValues(query, self.repeat(state).squeeze(1), observation.history_items, items, value, prior=prior)
