"""DQN: learns the long-run value of showing an item, and shows the item of the highest."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker, Transition, is_excluded
from recframe_plugins.agents.config import DQNConfig
from recframe_plugins.agents.exploration import epsilon_greedy
from recframe_plugins.agents.item_search import search_items
from recframe_plugins.agents.q_learning import QLearning, mean_loss
from recframe_plugins.agents.q_network import Evaluation, QNetwork


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
        if config.target_items is not None and spec.num_candidates:
            raise ValueError(
                f"agent.target_items samples the catalogue, but the environment lets only {spec.num_candidates} candidates be shown: "
                "leave it null"
            )
        super().__init__(config, spec, QNetwork(state_tracker, spec.device, config.dueling), seed=seed)

    @torch.no_grad()
    def prepare_to_act(self) -> None:
        """Project all items once for the coming decisions."""
        self._items = self.online.state_tracker.project_items()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The item of the highest value, or an epsilon-greedy choice."""
        if self._items is None:
            self.prepare_to_act()
        greedy = search_items(observation, self.online(observation, self._items), self.spec.num_items, 1).items
        return epsilon_greedy(observation, greedy, self.epsilon, self.spec.num_items, self.generator) if explore else Decision(greedy)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of a batch; after its step, the target network's move."""
        self._items = None  # the coming step changes the weights they were projected with
        items = self.online.state_tracker.project_items()
        q = self.online(batch.observation, items).of(batch.slate).squeeze(1)
        td_target = self.td_target(batch, items.detach())
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        yield "q", mean_loss(self.elementwise_loss(q, td_target), batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Tensor) -> Tensor:
        """Targets `[N]`: r + gamma Q'(s', argmax_i Q(s', i)), where Q' is the target network, and Q too without `double`.

        Of several steps, r is the discounted sum of their rewards, and gamma^n stands for gamma. `items` are the online network's item
        vectors `[M, d]`.
        """
        target = self.target(batch.next_observation, self.target_item_vectors())
        choosing = self.online(batch.next_observation, items) if self.config.double else target
        next_q = target.of(self.best_items(batch, choosing)).squeeze(1)
        return batch.reward + self.bootstrapped(batch, next_q)

    def best_items(self, batch: Transition, evaluation: Evaluation) -> Tensor:
        """The items of the highest value in the next states, `[N, 1]`: of all, or of a sample.

        A sample's maximum is at most the whole catalogue's, so with `target_items` values are too low rather than too high, by less the
        more is sampled. The items shown in the batch are in the sample: as the policy gets better, the best ones are among them.
        """
        observation, count = batch.next_observation, self.config.target_items
        if count is None:
            return search_items(observation, evaluation, self.spec.num_items, 1).items
        luck = torch.randint(self.spec.num_items, (count,), generator=self.generator, device=self.spec.device)
        sample = torch.cat([luck, batch.slate.flatten()])
        forbidden = is_excluded(observation, sample.expand(len(batch.reward), -1))
        return sample[evaluation.among(sample).masked_fill(forbidden, -torch.inf).argmax(dim=1, keepdim=True)]

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network."""
        return {"q": torch.optim.Adam(self.online.parameters(), lr=self.config.learning_rate)}
