"""SA2C: SQN with negative actions, whose supervised loss is weighted by the advantage of the item taken (Xin et al., 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, StateTracker, Transition
from recframe.item_agents import Items
from recframe_plugins.agents.offline.config import SA2CConfig
from recframe_plugins.agents.offline.q_and_policy import Heads
from recframe_plugins.agents.offline.sqn import SQN


class SA2C(SQN):
    """Supervised advantage actor-critic (Xin et al., 2022, arXiv:2111.03474).

    For each item taken, n negatives are drawn uniformly. They have the reward `negative_reward`, and leave the user in the same state:

        L_q = (r + gamma Q'(s', a') - Q(s, a))^2 + sum over negatives i of (r_n + gamma Q'(s, a') - Q(s, i))^2

    with a' = argmax of Q in the respective state, and `loss` in place of the square. After `warmup_updates` of L_s + L_q (SNQN), the
    supervised loss is weighted by the advantage over the items that were compared, L_s A(s, a):

        A(s, a) = Q(s, a) - (Q(s, a) + sum over negatives i of Q(s, i)) / (1 + n)

    A negative advantage makes the item less probable. A negative that is the item taken counts nowhere.
    """

    config: SA2CConfig

    def __init__(self, config: SA2CConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed, name="sa2c")
        self._advantage: Tensor | None = None

    def value_loss(self, batch: Transition, items: Items, heads: Heads, vectors: Tensor) -> Tensor:
        """L_q `[B]` of the item taken and of the negatives."""
        taken, config = batch.slate, self.config
        shape = (len(taken), config.negatives)
        negatives = torch.randint(items.num_items, shape, generator=self.generator, device=taken.device)
        counts = (negatives != taken).float()
        q = heads.q.of(negatives)
        stay = self.best_value(batch.observation, items, vectors, config.double).unsqueeze(1)
        losses = self.td_loss(q, (config.negative_reward + config.gamma * stay).expand_as(q))
        q_taken = heads.q.of(taken).detach().squeeze(1)
        self._advantage = q_taken - (q_taken + (q.detach() * counts).sum(dim=1)) / (1 + counts.sum(dim=1))
        return super().value_loss(batch, items, heads, vectors) + (losses * counts).sum(dim=1)

    def supervised_loss(self, cross_entropy: Tensor, batch: Transition, heads: Heads) -> Tensor:
        """L_s `[B]`, weighted by the advantage after the warm-up."""
        if self.updates < self.config.warmup_updates:
            return cross_entropy
        assert self._advantage is not None
        return cross_entropy * self._advantage
