"""The network of the on-policy agents: a policy and a state value, with a state tracker each or a shared one."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces import Observation, StateTracker
from recframe.item_agents import ItemPolicy, Items, PolicyScores

POLICY_GAIN = 10.0
"""The logit of a policy, at the start, of an expected reward of one that the state tracker knows: e times as likely for 0.1 more."""


class ItemVectors(NamedTuple):
    """Item vectors `[M, d]` as projected by the policy's state tracker and by the value's; the first `num_items` may be chosen."""

    policy: Tensor
    value: Tensor
    num_items: int


class PolicyAndValue(nn.Module):
    """pi(. | s) and V(s).

    `shared`: both are heads on one state tracker, which learns from both losses (multi-task learning; Caruana, 1997). Otherwise the value
    has its own tracker, which starts as a copy of the policy's.
    """

    def __init__(self, state_tracker: StateTracker, temperature: float, shared: bool, device: torch.device) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        prior_start = state_tracker.spec.prior_weight
        self.policy = ItemPolicy(state_tracker.state_dim, state_tracker.item_dim, temperature, device, prior_start)
        state_tracker.start_query(self.policy.query, POLICY_GAIN)
        self.value_tracker = None if shared else copy.deepcopy(state_tracker)
        self.value = nn.Linear(state_tracker.state_dim, 1, device=device)

    def vectors(self, items: Items) -> ItemVectors:
        """The items' vectors with the current weights."""
        policy = items.vectors(self.state_tracker)
        return ItemVectors(policy, policy if self.value_tracker is None else items.vectors(self.value_tracker), items.num_items)

    def forward(self, observation: Observation, vectors: ItemVectors) -> tuple[PolicyScores, Tensor]:
        """The policy's scores, and the values `[N]`."""
        state = self.state_tracker(observation, vectors.policy)
        value_state = state if self.value_tracker is None else self.value_tracker(observation, vectors.value)
        return self.policy(state, observation, vectors.policy[: vectors.num_items]), self.value(value_state).squeeze(1)

    def scores(self, observation: Observation, vectors: Tensor, num_items: int) -> PolicyScores:
        """The policy's scores alone, given its item vectors `[M, d]`, of which the first `num_items` may be chosen."""
        scores: PolicyScores = self.policy(self.state_tracker(observation, vectors), observation, vectors[:num_items])
        return scores

    def values(self, observation: Observation, vectors: ItemVectors) -> Tensor:
        """The values `[N]` alone."""
        tracker = self.state_tracker if self.value_tracker is None else self.value_tracker
        value: Tensor = self.value(tracker(observation, vectors.value)).squeeze(1)
        return value

    def policy_parameters(self) -> list[nn.Parameter]:
        """The parameters of the policy, where the trackers are separate."""
        return [*self.state_tracker.parameters(), *self.policy.parameters()]

    def value_parameters(self) -> list[nn.Parameter]:
        """The parameters of the value, where the trackers are separate."""
        return [*([] if self.value_tracker is None else self.value_tracker.parameters()), *self.value.parameters()]
