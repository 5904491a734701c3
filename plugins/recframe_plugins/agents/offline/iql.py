"""IQL: values of the best items that the log supports, without ever asking for the value of another (Kostrikov et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from recframe.interfaces import EnvironmentSpec, StateTracker, Transition
from recframe.item_agents import Items, log_probability
from recframe_plugins.agents.offline.config import IQLConfig
from recframe_plugins.agents.offline.q_and_policy import QAndPolicy, QAndPolicyAgent
from recframe_plugins.agents.q_learning.dqn import mean_loss


class QPolicyAndValue(QAndPolicy):
    """Q(s, .), pi(. | s) and V(s) on the state of one tracker."""

    def __init__(self, state_tracker: StateTracker, device: torch.device) -> None:
        super().__init__(state_tracker, device)
        self.state_value = nn.Linear(state_tracker.state_dim, 1, device=device)


class IQL(QAndPolicyAgent):
    """Implicit Q-learning (Kostrikov et al., 2022, arXiv:2110.06169), equations (5) to (7), over items.

        L_V  = |tau - 1[u < 0]| u^2,  u = Q'(s, a) - V(s)
        L_Q  = TD loss of Q(s, a) with the target r + gamma V(s')
        L_pi = - exp(beta (Q'(s, a) - V(s))) log pi(a | s), the weight at most `weight_cap`

    V is an expectile of the values of the items taken: with tau near 1 it is near the best of them. No target has a maximum over items, so
    a wrong value of an item that was never taken spreads nowhere. The three heads share a state tracker and one loss, the sum; there is
    one critic, where the paper has the smaller of two.
    """

    config: IQLConfig
    online: QPolicyAndValue
    target: QPolicyAndValue

    def __init__(self, config: IQLConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__("iql", config, spec, QPolicyAndValue(state_tracker, spec.device), seed=seed)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The sum of the three losses; after the optimizer step, the target network's move."""
        observation, vectors, online = batch.observation, self.project(items), self.online
        state = online.state_tracker(observation, vectors)
        q = online.of_state(state, observation, vectors).of(batch.slate).squeeze(1)
        value = online.state_value(state).squeeze(1)
        cross_entropy = -log_probability(online.policy(state, observation, vectors[: items.num_items]), batch.slate, items).squeeze(1)
        with torch.no_grad():
            target_q = self.target(observation, self.target_vectors(items)).of(batch.slate).squeeze(1)
            next_value = online.state_value(online.state_tracker(batch.next_observation, vectors)).squeeze(1)
            td_target = batch.reward + self.bootstrapped(batch, next_value)
            weight = (self.config.beta * (target_q - value)).exp().clamp(max=self.config.weight_cap)

        value_loss = expectile_loss(target_q - value, self.config.expectile)
        td_loss = self.td_loss(q, td_target)
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        self._means = {"mean_value": value.detach().mean(), "imitation_weight": weight.mean(), "value_loss": value_loss.detach().mean()}
        yield "q_and_policy", mean_loss(value_loss + td_loss + weight * cross_entropy, batch.weight)
        self.count_update()


def expectile_loss(difference: Tensor, expectile: float) -> Tensor:
    """|tau - 1[u < 0]| u^2 of differences u, equation (4)."""
    return torch.where(difference < 0, 1 - expectile, expectile) * difference.square()
