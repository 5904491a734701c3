"""CRR: imitation of the items taken that the critic finds better than the policy's own (Wang et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, StateTracker, Transition
from recframe.item_agents import Items, log_probability
from recframe_plugins.agents.offline.config import CRRConfig
from recframe_plugins.agents.offline.q_and_policy import QAndPolicy, QAndPolicyAgent, expected_value
from recframe_plugins.agents.q_learning.dqn import mean_loss


class CRR(QAndPolicyAgent):
    """Critic-regularized regression (Wang et al., 2020, arXiv:2006.15134), equations (1) to (4), over items.

        actor:  - f(A(s, a)) log pi(a | s),  A(s, a) = Q(s, a) - sum_i pi(i | s) Q(s, i)
        critic: TD loss of Q(s, a) with the target r + gamma sum_i pi'(i | s') Q'(s', i)

    with f = 1[A > 0] (`weighting=binary`) or f = exp(A / beta), at most `weight_cap` (`exp`). With items, the expectations under the policy
    are sums in place of the paper's samples. pi' and Q' are heads of the target network; actor and critic share a state tracker, so that
    there is one loss, the sum.
    """

    config: CRRConfig

    def __init__(self, config: CRRConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__("crr", config, spec, QAndPolicy(state_tracker, spec.device), seed=seed)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The sum of both losses; after the optimizer step, the target network's move."""
        observation, vectors = batch.observation, self.project(items)
        heads = self.online.heads(observation, vectors, items.num_items)
        q = heads.q.of(batch.slate).squeeze(1)
        td_target = self.td_target(batch, items)
        td_loss = self.td_loss(q, td_target)

        advantage = (q - expected_value(heads, observation, items)).detach()
        cross_entropy = -log_probability(heads.policy, batch.slate, items).squeeze(1)
        weight = self.imitation_weight(advantage)

        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        self._means = {"imitation_weight": weight.mean(), "value_loss": td_loss.detach().mean()}
        yield "q_and_policy", mean_loss(td_loss + weight * cross_entropy, batch.weight)
        self.count_update()

    def imitation_weight(self, advantage: Tensor) -> Tensor:
        """f(A), of the shape of `advantage`."""
        if self.config.weighting == "binary":
            return (advantage > 0).float()
        return (advantage / self.config.beta).exp().clamp(max=self.config.weight_cap)

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items) -> Tensor:
        """Targets `[B]`: r + gamma sum_i pi'(i | s') Q'(s', i)."""
        observation = batch.next_observation
        heads = self.target.heads(observation, self.target_vectors(items), items.num_items)
        return batch.reward + self.bootstrapped(batch, expected_value(heads, observation, items))
