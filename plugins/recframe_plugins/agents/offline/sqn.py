"""SQN: a model of the next item whose state tracker also learns the values of items (Xin et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from recframe.interfaces import EnvironmentSpec, StateTracker, Transition
from recframe.item_agents import Items, log_probability
from recframe_plugins.agents.offline.config import SQNConfig
from recframe_plugins.agents.offline.q_and_policy import Heads, QAndPolicy, QAndPolicyAgent
from recframe_plugins.agents.q_learning.dqn import mean_loss


class SQN(QAndPolicyAgent):
    """Self-supervised Q-learning (Xin et al., 2020, arXiv:2006.05779), equation (10): L = L_s + L_q on a shared state.

    L_s is the cross-entropy of the item taken, and L_q the temporal-difference loss of its value with double Q targets. Items are
    recommended by the supervised head: the Q head makes the state represent what brings reward later. A target network takes the place of
    the paper's second copy of the network, which takes turns with the first.
    """

    config: SQNConfig

    def __init__(self, config: SQNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int, name: str = "sqn") -> None:
        super().__init__(name, config, spec, QAndPolicy(state_tracker, spec.device), seed=seed)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The joint loss of a batch; after its optimizer step, the target network's move."""
        vectors = self.project(items)
        heads = self.online.heads(batch.observation, vectors, items.num_items)
        cross_entropy = -log_probability(heads.policy, batch.slate, items).squeeze(1)
        value_loss = self.value_loss(batch, items, heads, vectors.detach())
        supervised = self.supervised_loss(cross_entropy, batch, heads)
        self._means = {"cross_entropy": cross_entropy.detach().mean(), "value_loss": value_loss.detach().mean()}
        yield "q_and_policy", mean_loss(supervised + self.config.q_weight * value_loss, batch.weight)
        self.count_update()

    def supervised_loss(self, cross_entropy: Tensor, batch: Transition, heads: Heads) -> Tensor:
        """L_s `[B]`: the cross-entropy of the item taken."""
        return cross_entropy

    def value_loss(self, batch: Transition, items: Items, heads: Heads, vectors: Tensor) -> Tensor:
        """L_q `[B]`: the loss of r + gamma Q'(s', argmax_i Q(s', i)) - Q(s, a). `vectors` are without a gradient."""
        q = heads.q.of(batch.slate).squeeze(1)
        next_value = self.best_value(batch.next_observation, items, vectors, self.config.double)
        td_target = batch.reward + self.bootstrapped(batch, next_value)
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        return self.td_loss(q, td_target)
