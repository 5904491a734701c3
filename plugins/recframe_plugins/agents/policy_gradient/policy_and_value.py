"""A policy and a state value, on a state tracker each or on one for both."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces import Observation, StateTracker
from recframe.item_agents.softmax_policy import ItemPolicy, Preferences
from recframe.item_agents.working_set import Items


class ItemVectors(NamedTuple):
    """Item vectors `[M, d]`, as the policy's state tracker projects them and as the value's does; the first `count` may be chosen."""

    policy: Tensor
    value: Tensor
    count: int


class PolicyAndValue(nn.Module):
    """pi(. | s) and V(s).

    `shared`: the two are heads on one state tracker, which then learns from both losses (multi-task learning; Caruana, 1997). Otherwise the
    value has a tracker of its own, which starts as a copy of the policy's.
    """

    def __init__(self, state_tracker: StateTracker, temperature: float, shared: bool, device: torch.device) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.policy = ItemPolicy(state_tracker.state_dim, state_tracker.item_dim, temperature, device)
        self.value_tracker = None if shared else copy.deepcopy(state_tracker)
        self.value = nn.Linear(state_tracker.state_dim, 1, device=device)

    def vectors(self, items: Items) -> ItemVectors:
        """The items' vectors under the present weights."""
        policy = items.vectors(self.state_tracker)
        return ItemVectors(policy, policy if self.value_tracker is None else items.vectors(self.value_tracker), items.count)

    def forward(self, observation: Observation, vectors: ItemVectors) -> tuple[Preferences, Tensor]:
        """The policy's preferences, and the values `[N]`."""
        state = self.state_tracker(observation, vectors.policy)
        value_state = state if self.value_tracker is None else self.value_tracker(observation, vectors.value)
        return self.policy(state, observation, vectors.policy[: vectors.count]), self.value(value_state).squeeze(1)

    def preferences(self, observation: Observation, vectors: Tensor, count: int) -> Preferences:
        """The policy's preferences alone, given the policy's item vectors `[M, d]`, of which the first `count` may be chosen."""
        preferences: Preferences = self.policy(self.state_tracker(observation, vectors), observation, vectors[:count])
        return preferences

    def values(self, observation: Observation, vectors: ItemVectors) -> Tensor:
        """The values `[N]` alone."""
        tracker = self.state_tracker if self.value_tracker is None else self.value_tracker
        value: Tensor = self.value(tracker(observation, vectors.value)).squeeze(1)
        return value

    def policy_parameters(self) -> list[nn.Parameter]:
        """What the policy's loss alone trains where the trackers are separate."""
        return [*self.state_tracker.parameters(), *self.policy.parameters()]

    def value_parameters(self) -> list[nn.Parameter]:
        """What the value's loss alone trains where the trackers are separate."""
        return [*([] if self.value_tracker is None else self.value_tracker.parameters()), *self.value.parameters()]
