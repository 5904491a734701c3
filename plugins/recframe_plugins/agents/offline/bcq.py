"""BCQ: Q-learning that chooses only among items that the logging policy is likely to have chosen (Fujimoto et al., 2019)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents import Items, PolicyScores, QValues, log_probability, search_items
from recframe_plugins.agents.offline.config import BCQConfig
from recframe_plugins.agents.offline.q_and_policy import Heads, QAndPolicy, QAndPolicyAgent
from recframe_plugins.agents.q_learning.dqn import mean_loss


class LikelyScores(NamedTuple):
    """Q of the items whose policy score is at least `least` `[N, 1]`, and -inf for all others."""

    q: QValues
    policy: PolicyScores
    least: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self.q.of(chosen).masked_fill(self.policy.of(chosen) < self.least, -torch.inf)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return self.q.between(first, last).masked_fill(self.policy.between(first, last) < self.least, -torch.inf)


class BCQ(QAndPolicyAgent):
    """Discrete batch-constrained Q-learning (Fujimoto et al., 2019, arXiv:1910.01708), equations (10) to (12).

    G(i | s), the policy head, estimates the policy that wrote the log, by the cross-entropy of the items taken. The policy is

        pi(s) = argmax of Q(s, i) over the items i with G(i | s) / max_j G(j | s) > threshold

    in acting, and in the target r + gamma Q'(s', pi(s')): values are never asked of items that the log does not support. A threshold of 0
    is double Q-learning, one of 1 imitates the log. Beyond the items that pass, the ranking goes on in the order of G.
    """

    config: BCQConfig

    def __init__(self, config: BCQConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__("bcq", config, spec, QAndPolicy(state_tracker, spec.device), seed=seed)

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The likely items by their values; then the others, by their probabilities."""
        return self.ranking(self.online.heads(observation, vectors, items.num_items), observation, items.num_items, k)

    def ranking(self, heads: Heads, observation: Observation, num_items: int, k: int) -> Tensor:
        """The k best items, `[N, k]`."""
        by_probability = search_items(observation, heads.policy, num_items, k)
        threshold = self.config.threshold
        # the ratio of two probabilities is that of the exponentials of their scores
        least = by_probability.scores[:, :1] + (math.log(threshold) if threshold else -math.inf)
        likely = search_items(observation, LikelyScores(*heads, least), num_items, k)
        # the likely items are the most probable ones: where j of them are found, by_probability goes on at place j
        return torch.where(likely.scores > -torch.inf, likely.items, by_probability.items)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss plus the cross-entropy of G; after the optimizer step, the target network's move."""
        vectors = self.project(items)
        heads = self.online.heads(batch.observation, vectors, items.num_items)
        q = heads.q.of(batch.slate).squeeze(1)
        cross_entropy = -log_probability(heads.policy, batch.slate, items).squeeze(1)
        td_target = self.td_target(batch, items, vectors.detach())
        td_loss = self.td_loss(q, td_target)
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        self._means = {"cross_entropy": cross_entropy.detach().mean(), "value_loss": td_loss.detach().mean()}
        yield "q_and_policy", mean_loss(td_loss + cross_entropy, batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items, vectors: Tensor) -> Tensor:
        """Targets `[B]`: r + gamma Q'(s', pi(s')), where pi is chosen by the online network. `vectors` are the online network's."""
        observation = batch.next_observation
        best = self.ranking(self.online.heads(observation, vectors, items.num_items), observation, items.num_items, 1)
        next_value = self.target(observation, self.target_vectors(items)).of(best).squeeze(1)
        return batch.reward + self.bootstrapped(batch, next_value)
