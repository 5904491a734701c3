"""A policy and a state value, on a state tracker each or on one for both."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces import Observation, StateTracker
from recframe_plugins.agents.policies import ItemPolicy, Preferences


class ItemVectors(NamedTuple):
    """All item vectors `[M, d]`, as the policy's state tracker projects them and as the value's does."""

    policy: Tensor
    value: Tensor


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

    def project_items(self) -> ItemVectors:
        """Item vectors under the present weights."""
        items = self.state_tracker.project_items()
        return ItemVectors(items, items if self.value_tracker is None else self.value_tracker.project_items())

    def forward(self, observation: Observation, items: ItemVectors) -> tuple[Preferences, Tensor]:
        """The policy's preferences, and the values `[N]`."""
        state = self.state_tracker(observation, items.policy)
        value_state = state if self.value_tracker is None else self.value_tracker(observation, items.value)
        return self.policy(state, observation, items.policy), self.value(value_state).squeeze(1)

    def preferences(self, observation: Observation, items: Tensor) -> Preferences:
        """The policy's preferences alone, given the policy's item vectors `[M, d]`."""
        preferences: Preferences = self.policy(self.state_tracker(observation, items), observation, items)
        return preferences

    def values(self, observation: Observation, items: ItemVectors) -> Tensor:
        """The values `[N]` alone."""
        tracker = self.state_tracker if self.value_tracker is None else self.value_tracker
        value: Tensor = self.value(tracker(observation, items.value)).squeeze(1)
        return value

    def policy_parameters(self) -> list[nn.Parameter]:
        """What the policy's loss alone trains where the trackers are separate."""
        return [*self.state_tracker.parameters(), *self.policy.parameters()]

    def value_parameters(self) -> list[nn.Parameter]:
        """What the value's loss alone trains where the trackers are separate."""
        return [*([] if self.value_tracker is None else self.value_tracker.parameters()), *self.value.parameters()]
