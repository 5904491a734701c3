"""DQN: learns the long-run value of showing an item, and shows the item of the highest."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents.exploration import epsilon_greedy
from recframe.item_agents.optimization import adam
from recframe.item_agents.search import search_items
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.deep_q_learning import QLearning, mean_loss
from recframe_plugins.agents.q_learning.q_network import QNetwork


class DQN(QLearning):
    """Deep Q-learning (Mnih et al., 2015) over items described by vectors.

    With double Q targets (van Hasselt et al., 2016), and on demand a dueling network (Wang et al., 2016), returns over several steps
    (Sutton, 1988) and prioritized replay (Schaul et al., 2016). Returns over several steps are uncorrected: they are those of the policy
    that took the steps, explored ones among them, as in Rainbow (Hessel et al., 2018).
    """

    config: DQNConfig

    def __init__(self, config: DQNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        if spec.slate_size != 1:
            raise ValueError(
                f"agent dqn shows one item at a time: environment.slate_size must be 1, not {spec.slate_size} (agent slate_q shows several)"
            )
        super().__init__(config, spec, QNetwork(state_tracker, spec.device, config.dueling), seed=seed)

    def project(self, items: Items) -> Tensor:
        """The online network's item vectors."""
        return items.vectors(self.online.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """The item of the highest value, or an epsilon-greedy choice."""
        greedy = search_items(observation, self.online(observation, vectors), items.count, 1).items
        return epsilon_greedy(observation, greedy, self.epsilon, items.count, self.generator) if explore else Decision(greedy)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of a batch; after its step, the target network's move."""
        vectors = items.vectors(self.online.state_tracker)
        q = self.online(batch.observation, vectors).of(batch.slate).squeeze(1)
        td_target = self.td_target(batch, items, vectors.detach())
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        yield "q", mean_loss(self.elementwise_loss(q, td_target), batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items, vectors: Tensor) -> Tensor:
        """Targets `[N]`: r + gamma Q'(s', argmax_i Q(s', i)), where Q' is the target network, and Q too without `double`.

        Of several steps, r is the discounted sum of their rewards, and gamma^n stands for gamma. `vectors` are those of `items` as the
        online network has them.
        """
        following = batch.next_observation
        target = self.target(following, self.target_vectors(items))
        choosing = self.online(following, vectors) if self.config.double else target
        next_q = target.of(search_items(following, choosing, items.count, 1).items).squeeze(1)
        return batch.reward + self.bootstrapped(batch, next_q)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network."""
        return {"q": adam(self.online.parameters(), self.config.learning_rate)}
