"""DQN: learns the long-term value of showing an item, and shows the item of the highest value.

`DeepQAgent` holds the networks, the replay settings and the update of the target network, which SlateQ shares; `DQN` acts and learns.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Replay, StateTracker, Transition
from recframe.item_agents import ItemAgent, Items, ItemScores, QNetwork, TargetUpdate, adam, epsilon_greedy, linear_schedule, search_items
from recframe_plugins.agents.q_learning.config import DQNConfig, ValueLearningConfig

LOSSES = {"huber": F.smooth_l1_loss, "mse": F.mse_loss}


class DeepQAgent(ItemAgent):
    """Base of the deep Q-learning agents: an `online` network, its `target` network, epsilon, and the temporal-difference error.

    Over a working set, the best action of a target is the best of the set. Its value is at most that of the best of all items, except in
    double Q-learning, where the target network's value of the online network's choice may also be higher.
    """

    def __init__(self, config: ValueLearningConfig, spec: EnvironmentSpec, network: QNetwork, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        self.config = config
        self.online = network
        self.target = copy.deepcopy(network).requires_grad_(False)
        self._move_target = TargetUpdate(self.target, self.online, config.target_update_rate)
        self.updates = 0
        self._target_vectors: Tensor | None = None
        self._td_error: Tensor | None = None
        self._mean_q: Tensor | None = None

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(
            config.replay_capacity,
            config.batch_size,
            config.learning_starts,
            config.updates_per_chunk,
            n_step=config.n_step,
            gamma=config.gamma,
            priority_exponent=config.priority_exponent,
            importance_exponent=config.importance_exponent,
            importance_anneal_steps=config.importance_anneal_steps,
        )

    @property
    def epsilon(self) -> float:
        """The current probability of a random slate."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    def decide(self, observation: Observation, items: Items, vectors: Any, explore: bool) -> Decision:
        """The greedy slate, or an epsilon-greedy choice."""
        greedy = self.greedy(observation, items, vectors, self.spec.slate_size)
        return epsilon_greedy(observation, greedy, self.epsilon, items.num_items, self.generator) if explore else Decision(greedy)

    def target_vectors(self, items: Items) -> Tensor:
        """The target network's vectors of the items; those of the whole catalogue are cached until the target network moves."""
        if items is not self.working_set.whole:
            return items.vectors(self.target.state_tracker)
        if self._target_vectors is None:
            self._target_vectors = items.vectors(self.target.state_tracker)
        return self._target_vectors

    @torch.no_grad()
    def best_value(self, observation: Observation, items: Items, vectors: Tensor, double: bool) -> Tensor:
        """Q'(s, argmax_i Q(s, i)) `[N]`, where Q' is the target network; without `double`, Q is Q' too.

        `vectors` are the online network's vectors of `items`.
        """
        target = self.target(observation, self.target_vectors(items))
        choosing = self.online(observation, vectors) if double else target
        best = search_items(observation, choosing, items.num_items, 1).items
        value: Tensor = target.of(best).squeeze(1)
        return value

    def bootstrapped(self, batch: Transition, next_value: Tensor) -> Tensor:
        """The part of a target that the next state's value `[N]` adds: discounted, and 0 where the session is over."""
        discount = self.config.gamma if batch.discount is None else batch.discount
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        # masked, not multiplied by 0: where no item is left, a value may be infinite
        return discount * next_value.masked_fill(batch.terminated, 0.0)

    def td_loss(self, q: Tensor, td_target: Tensor) -> Tensor:
        """The loss of each temporal-difference error, of the shape of `q`."""
        return LOSSES[self.config.loss](q, td_target, reduction="none")

    def count_update(self) -> None:
        """Count an update; every `target_update_interval` updates, move the target network by `target_update_rate`."""
        self.updates += 1
        if self.updates % self.config.target_update_interval:
            return
        self._move_target()
        self._target_vectors = None

    def priorities(self) -> Tensor | None:
        """The size of each temporal-difference error of the last batch (Schaul et al., 2016)."""
        return self._td_error.abs() if self._td_error is not None else None

    def texts_moved(self) -> None:
        """Drop the projected items, including the target network's."""
        super().texts_moved()
        self._target_vectors = None

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon, and the mean value of the last batch."""
        return {"epsilon": self.epsilon} | ({} if self._mean_q is None else {"mean_q": self._mean_q})

    def get_extra_state(self) -> dict[str, Any]:
        """The state of `ItemAgent`, and the number of updates, which times the target network's moves."""
        return super().get_extra_state() | {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self.updates = int(state["updates"])
        self._target_vectors = self._td_error = self._mean_q = None


def require_single_items(agent: str, spec: EnvironmentSpec) -> None:
    """Raise ValueError if slates have several items."""
    if spec.slate_size != 1:
        raise ValueError(
            f"agent {agent} shows one item at a time: environment.slate_size must be 1, not {spec.slate_size} (agent slate_q shows several)"
        )


def mean_loss(losses: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of `losses` `[N]`, weighted by importance if the batch has weights."""
    return losses.mean() if weight is None else (weight * losses).mean()


class DQN(DeepQAgent):
    """Deep Q-learning (Mnih et al., 2015) over items described by vectors.

    With double Q targets (van Hasselt et al., 2016) and, as options, a dueling network (Wang et al., 2016), n-step returns (Sutton, 1988)
    and prioritized replay (Schaul et al., 2016). The n-step returns are uncorrected: they are those of the behaviour policy, explored
    steps included, as in Rainbow (Hessel et al., 2018).
    """

    config: DQNConfig

    def __init__(self, config: DQNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        require_single_items("dqn", spec)
        super().__init__(config, spec, QNetwork(state_tracker, spec.device, config.dueling), seed=seed)

    def project(self, items: Items) -> Tensor:
        """The online network's item vectors."""
        return items.vectors(self.online.state_tracker)

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The items of the highest values."""
        return search_items(observation, self.online(observation, vectors), items.num_items, k).items

    def scored(self, observation: Observation, items: Items, vectors: Any) -> ItemScores | None:
        """The values of the items."""
        scores: ItemScores = self.online(observation, vectors)
        return scores

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of a batch; after its optimizer step, the target network's move."""
        vectors = items.vectors(self.online.state_tracker)
        q = self.online(batch.observation, vectors).of(batch.slate).squeeze(1)
        td_target = self.td_target(batch, items, vectors.detach())
        self._td_error, self._mean_q = (td_target - q).detach(), q.detach().mean()
        yield "q", mean_loss(self.td_loss(q, td_target), batch.weight)
        self.count_update()

    def td_target(self, batch: Transition, items: Items, vectors: Tensor) -> Tensor:
        """Targets `[N]`: r + gamma Q'(s', argmax_i Q(s', i)); see `best_value`.

        With n-step returns, r is the discounted sum of n rewards, and gamma^n replaces gamma.
        """
        return batch.reward + self.bootstrapped(batch, self.best_value(batch.next_observation, items, vectors, self.config.double))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network."""
        return {"q": adam(self.online.parameters(), self.config.learning_rate)}
