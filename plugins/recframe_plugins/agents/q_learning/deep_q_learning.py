"""What deep Q-learning agents share: a replay memory, an online and a target network, epsilon, and the temporal-difference error."""

from __future__ import annotations

import copy
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Experience, Replay, Transition
from recframe.item_agents.exploration import linear_schedule
from recframe.item_agents.item_agent import ItemAgent
from recframe.item_agents.optimization import TargetUpdate
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.q_learning.config import QLearningConfig
from recframe_plugins.agents.q_learning.q_network import QNetwork

LOSSES = {"huber": F.smooth_l1_loss, "mse": F.mse_loss}


class QLearning(ItemAgent):
    """The frame of an agent around `online`; a subclass says how it acts, what its target is and what else it learns.

    Over a working set, the best action of a target is the best of the set. Its value is at most that of the best of all; that which the
    target network gives to the online network's choice, in double Q-learning, may also be higher.
    """

    def __init__(self, config: QLearningConfig, spec: EnvironmentSpec, network: QNetwork, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        self.config = config
        self.online = network
        self.target = copy.deepcopy(network).requires_grad_(False)
        self._move_target = TargetUpdate(self.target, self.online, config.target_update_rate)
        self.updates = 0
        self._forget()

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
        """The present probability of a random choice."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    def bootstrapped(self, batch: Transition, next_value: Tensor) -> Tensor:
        """What the next state's value `[N]` adds to the return: discounted, and nothing where the session is over."""
        discount = self.config.gamma if batch.discount is None else batch.discount
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        return discount * next_value * ~batch.terminated

    def elementwise_loss(self, q: Tensor, td_target: Tensor) -> Tensor:
        """The loss of each temporal-difference error, of the shape of `q`."""
        return LOSSES[self.config.loss](q, td_target, reduction="none")

    def priorities(self) -> Tensor | None:
        """The size of each temporal-difference error of the last batch (Schaul et al., 2016)."""
        return self._td_error.abs() if self._td_error is not None else None

    def target_vectors(self, items: Items) -> Tensor:
        """The target network's vectors of the items; those of the whole catalogue are projected once after each of its moves."""
        if items is not self.working_set.whole:
            return items.vectors(self.target.state_tracker)
        if self._target_vectors is None:
            self._target_vectors = items.vectors(self.target.state_tracker)
        return self._target_vectors

    def texts_moved(self) -> None:
        """Drop the projected items, the target network's too."""
        super().texts_moved()
        self._target_vectors = None

    def count_update(self) -> None:
        """Count an update; every `target_update_interval`, move the target network by `target_update_rate`."""
        self.updates += 1
        if self.updates % self.config.target_update_interval:
            return
        self._move_target()
        self._target_vectors = None

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon, and the last batch's mean value."""
        return {"epsilon": self.epsilon} | ({} if self._mean_q is None else {"mean_q": self._mean_q})

    def get_extra_state(self) -> dict[str, Any]:
        """The agent's, and the number of updates: it times the target network's moves."""
        return super().get_extra_state() | {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self.updates = int(state["updates"])
        self._forget()

    def _forget(self) -> None:
        """Drop what was computed from weights or batches of before."""
        self._target_vectors: Tensor | None = None
        self._td_error: Tensor | None = None
        self._mean_q: Tensor | None = None


def mean_loss(losses: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of `losses` `[N]`, weighted by importance where a batch has weights."""
    return losses.mean() if weight is None else (weight * losses).mean()
