"""The base of offline agents with a Q function and a softmax policy, as two heads on one state tracker."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents import ItemPolicy, Items, PolicyScores, QNetwork, QValues, adam, allowed_scores, search_items, weighted
from recframe_plugins.agents.q_learning.config import ValueLearningConfig
from recframe_plugins.agents.q_learning.dqn import DeepQAgent, require_single_items


class Heads(NamedTuple):
    """Q(s, .), and the scores of which pi(. | s) is the softmax."""

    q: QValues
    policy: PolicyScores


class QAndPolicy(QNetwork):
    """Q(s, .) and pi(. | s) on the state of one tracker, which learns from both."""

    def __init__(self, state_tracker: StateTracker, device: torch.device) -> None:
        super().__init__(state_tracker, device)
        self.policy = ItemPolicy(state_tracker.state_dim, state_tracker.item_dim, 1.0, device, state_tracker.spec.prior_weight)

    def heads(self, observation: Observation, vectors: Tensor, num_items: int) -> Heads:
        """Both heads, given the item vectors `[M, d]`, of which the first `num_items` may be chosen."""
        state = self.state_tracker(observation, vectors)
        return Heads(self.of_state(state, observation, vectors), self.policy(state, observation, vectors[:num_items]))

    def policy_scores(self, observation: Observation, vectors: Tensor, num_items: int) -> PolicyScores:
        """The policy alone."""
        scores: PolicyScores = self.policy(self.state_tracker(observation, vectors), observation, vectors[:num_items])
        return scores


class QAndPolicyAgent(DeepQAgent):
    """Learns from logged transitions, or from its own, and shows the items of the highest probability under its policy.

    In a large catalogue it learns over working sets that contain all items taken; sums over items are weighted, so that they estimate
    those over the catalogue.
    """

    online: QAndPolicy
    target: QAndPolicy

    def __init__(self, name: str, config: ValueLearningConfig, spec: EnvironmentSpec, network: QAndPolicy, *, seed: int) -> None:
        require_single_items(name, spec)
        super().__init__(config, spec, network, seed=seed)
        self._means: dict[str, Tensor] = {}

    def project(self, items: Items) -> Tensor:
        """The online network's item vectors."""
        return items.vectors(self.online.state_tracker)

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The most probable items."""
        return search_items(observation, self.online.policy_scores(observation, vectors, items.num_items), items.num_items, k).items

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """A working set with all items taken."""
        return self.working_set.for_imitation(batch, self.generator)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the tracker and its heads."""
        return {"q_and_policy": adam(self.online.parameters(), self.config.learning_rate)}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon, the mean value of the last batch, and its mean losses."""
        return super().diagnostics() | self._means

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self._means = {}


def expected_value(heads: Heads, observation: Observation, items: Items) -> Tensor:
    """V(s) = sum over i of pi(i | s) Q(s, i), `[N]`, over the items that may be shown; NaN where there are none."""
    probability = weighted(allowed_scores(heads.policy, observation, items), observation, items).softmax(dim=1)
    q = allowed_scores(heads.q, observation, items)
    return heads.q.value.float() + (probability * q.masked_fill(q == -torch.inf, 0.0)).sum(dim=1)
