"""Q of every item by one matrix product: the network of the agents that learn what items are worth."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Observation, StateTracker
from recframe.item_agents.search import positions_within


class QNetwork(nn.Module):
    """Q(s, i) = V(s) + A(s, i) + r(s) [i in s's history],  A(s, i) = <W s + w, v_i> / sqrt(d).

    A value of the state, how well an item's vector answers the state's query, and what it is worth, or costs, to show an item again: an
    inner product cannot single out the few items of the history (compare RepeatNet, Ren et al., 2019).

    All items are scored by one matrix product of queries `[N, d]` and item vectors `[M, d]`; w gives items a value of their own. The
    divisor, attention's, starts the items' values close together: the largest of many random ones would be the first targets.

    The sum of V and A is equation (7) of Wang et al. (2016). With `dueling` A(s, i) is less its mean over the items, equation (9),
    which makes V their mean value: the two can then no longer trade a constant. Over a working set that is the mean over the items
    looked at, the catalogue's with some noise, and with more weight on what was shown.
    """

    def __init__(self, state_tracker: StateTracker, device: torch.device, dueling: bool = False) -> None:
        super().__init__()
        self.dueling = dueling
        self.state_tracker = state_tracker
        self.query = nn.Linear(state_tracker.state_dim, state_tracker.item_dim, device=device)
        self.value = nn.Linear(state_tracker.state_dim, 1, device=device)
        self.repeat = nn.Linear(state_tracker.state_dim, 1, device=device)

    def forward(self, observation: Observation, items: Tensor) -> Evaluation:
        """Q for each user, given the item vectors `[M, d]`."""
        state = self.state_tracker(observation, items)
        query = self.query(state) / items.shape[1] ** 0.5
        value = self.value(state).squeeze(1)
        if self.dueling:
            # the mean of products is the product with the mean: the catalogue need not be gone through
            value = value - query @ items.mean(dim=0)
        return Evaluation(query, value, self.repeat(state).squeeze(1), observation.history_items, items)


class Evaluation(NamedTuple):
    """Q of N states in parts: queries `[N, d]`, what is the same for all items `[N]` (V(s), or V(s) less the mean of A(s, .)), the worth of
    a repetition `[N]`, the history `[N, H]`, and all item vectors `[M, d]`.
    """

    query: Tensor
    value: Tensor
    repeat: Tensor
    history: Tensor
    items: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Q `[N, C]` of the items numbered `chosen` `[N, C]`."""
        again = (self.history.unsqueeze(1) == chosen.unsqueeze(2)).any(dim=2)
        answers = (self.query.unsqueeze(1) * F.embedding(chosen, self.items)).sum(dim=2)
        return self.value.unsqueeze(1) + answers + self.repeat.unsqueeze(1) * again

    def between(self, first: int, last: int) -> Tensor:
        """Q less `value` of the items from number `first` to before `last`, `[N, last - first]`: enough to rank them."""
        scores = self.query @ self.items[first:last].T
        history = positions_within(self.history, first, last)
        # what is not here is written where another item of the history is; where no other is, nothing is added
        another = history.amax(dim=1, keepdim=True)
        columns = torch.where(history == PAD, another, history).clamp(min=0)
        worth = self.repeat.unsqueeze(1) * (another != PAD)
        return scores.scatter_(1, columns, scores.gather(1, columns) + worth)
