"""CQL: Q-learning that keeps the values of items that were not taken low (Kumar et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents import Items, QNetwork, adam, allowed_scores, search_items, weighted
from recframe_plugins.agents.offline.config import CQLConfig
from recframe_plugins.agents.q_learning.dqn import DeepQAgent, mean_loss, require_single_items


class CQL(DeepQAgent):
    """Conservative Q-learning (Kumar et al., 2020, arXiv:2006.04779), equation (4), CQL(H), over items.

        L = alpha (log sum_i exp Q(s, i) - Q(s, a)) + TD loss of Q(s, a)

    Without the first term, errors in the values of items that the log never shows in a state are what the maximum in the target picks,
    and nothing corrects them. In a large catalogue the sum is estimated from a working set.
    """

    config: CQLConfig

    def __init__(self, config: CQLConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        require_single_items("cql", spec)
        super().__init__(config, spec, QNetwork(state_tracker, spec.device), seed=seed)

    def project(self, items: Items) -> Tensor:
        """The online network's item vectors."""
        return items.vectors(self.online.state_tracker)

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The items of the highest values."""
        return search_items(observation, self.online(observation, vectors), items.num_items, k).items

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """A working set with all items taken."""
        return self.working_set.for_imitation(batch, self.generator)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The loss of a batch; after its optimizer step, the target network's move."""
        vectors = self.project(items)
        values = self.online(batch.observation, vectors)
        q = values.of(batch.slate).squeeze(1)
        all_q = values.value.unsqueeze(1) + weighted(allowed_scores(values, batch.observation, items), batch.observation, items)
        conservative = all_q.logsumexp(dim=1) - q
        next_value = self.best_value(batch.next_observation, items, vectors.detach(), self.config.double)
        td_target = batch.reward + self.bootstrapped(batch, next_value)
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        yield "q", mean_loss(self.config.alpha * conservative + self.td_loss(q, td_target), batch.weight)
        self.count_update()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network."""
        return {"q": adam(self.online.parameters(), self.config.learning_rate)}
