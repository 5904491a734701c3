"""DQN: learns the long-run value of showing an item, and shows the item of the highest."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Agent, Decision, EnvironmentSpec, Experience, Observation, Replay, StateTracker, Transition, best_items
from recframe_plugins.agents.config import DQNConfig
from recframe_plugins.agents.exploration import epsilon_greedy, linear_schedule

LOSSES = {"huber": F.smooth_l1_loss, "mse": F.mse_loss}


class QNetwork(nn.Module):
    """Q(s, i) = V(s) + <W s + w, v_i> / sqrt(d) + r(s) [i in s's history].

    A value of the state, how well an item's vector answers the state's query, and what it is worth, or costs, to show an item again: an
    inner product cannot single out the few items of the history (compare RepeatNet, Ren et al., 2019).

    All items are scored by one matrix product of queries `[N, d]` and item vectors `[M, d]`; w gives items a value of their own. The
    divisor, attention's, starts the items' values close together: the largest of many random ones would be the first targets.
    """

    def __init__(self, state_tracker: StateTracker, device: torch.device) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.query = nn.Linear(state_tracker.state_dim, state_tracker.item_dim, device=device)
        self.value = nn.Linear(state_tracker.state_dim, 1, device=device)
        self.repeat = nn.Linear(state_tracker.state_dim, 1, device=device)

    def forward(self, observation: Observation, items: Tensor) -> Evaluation:
        """The parts of Q for each user, given all item vectors `[M, d]`."""
        state = self.state_tracker(observation, items)
        query = self.query(state) / items.shape[1] ** 0.5
        return Evaluation(query, self.value(state).squeeze(1), self.repeat(state).squeeze(1), observation.history_items)


class Evaluation(NamedTuple):
    """Q of N states in parts: queries `[N, d]`, state values `[N]`, worth of a repetition `[N]`, and the history `[N, H]`."""

    query: Tensor
    value: Tensor
    repeat: Tensor
    history: Tensor

    def of(self, chosen: Tensor, items: Tensor) -> Tensor:
        """Q `[N]` of one item for each user, from item numbers `[N]` and all item vectors `[M, d]`."""
        again = (self.history == chosen.unsqueeze(1)).any(dim=1)
        return self.value + (self.query * F.embedding(chosen, items)).sum(dim=1) + self.repeat * again

    def advantages(self, items: Tensor) -> Tensor:
        """Q - V of all items, `[N, M]`: the state's value is the same for all, so the best item is the best of these."""
        scores = F.pad(self.query @ items.T, (0, 1))  # PAD, -1, is the column added at the end
        history = self.history % scores.shape[1]
        return scores.scatter(1, history, scores.gather(1, history) + self.repeat.unsqueeze(1))[:, :-1]


class DQN(Agent):
    """Deep Q-learning (Mnih et al., 2015) with double Q targets (van Hasselt et al., 2016) over items described by vectors."""

    def __init__(self, config: DQNConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        if spec.slate_size != 1:
            raise ValueError(f"agent dqn shows one item at a time: environment.slate_size must be 1, not {spec.slate_size}")
        if config.learning_starts > config.replay_capacity:
            raise ValueError(
                f"agent.learning_starts ({config.learning_starts}) must not exceed agent.replay_capacity ({config.replay_capacity}): "
                "learning would never start"
            )
        self.config = config
        self.online = QNetwork(state_tracker, spec.device)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.updates = 0
        self._forget_items()

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    @property
    def epsilon(self) -> float:
        """The present probability of a random item."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    @torch.no_grad()
    def prepare_to_act(self) -> None:
        """Project all items once for the coming decisions."""
        self._items = self.online.state_tracker.project_items()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The item of the highest value, or an epsilon-greedy choice."""
        if self._items is None:
            self.prepare_to_act()
        greedy = best_items(observation, self.online(observation, self._items).advantages(self._items), 1)
        return epsilon_greedy(observation, greedy, self.epsilon, self.spec.num_items, self.generator) if explore else Decision(greedy)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of a batch; after its step, the target network's move."""
        self._items = None  # the coming step changes the weights they were projected with
        items = self.online.state_tracker.project_items()
        q = self.online(batch.observation, items).of(batch.slate[:, 0], items)
        td_target = self.td_target(batch, items.detach())
        self._mean_q = q.detach().mean()
        yield "q", LOSSES[self.config.loss](q, td_target)

        self.updates += 1
        if self.updates % self.config.target_update_interval == 0:
            self.update_target()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Tensor) -> Tensor:
        """Targets `[N]`: r + gamma Q'(s', argmax_i Q(s', i)), where Q' is the target network, and Q too without `double`.

        `items` are the online network's item vectors `[M, d]`.
        """
        if self._target_items is None:
            self._target_items = self.target.state_tracker.project_items()
        target = self.target(batch.next_observation, self._target_items)
        if self.config.double:
            advantages = self.online(batch.next_observation, items).advantages(items)
        else:
            advantages = target.advantages(self._target_items)
        best = best_items(batch.next_observation, advantages, 1).squeeze(1)
        next_q = target.of(best, self._target_items)
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        return batch.reward + self.config.gamma * next_q * ~batch.terminated

    @torch.no_grad()
    def update_target(self) -> None:
        """Move the target network towards the online one by `target_update_rate`."""
        for target, online in zip(self.target.parameters(), self.online.parameters(), strict=True):
            target.lerp_(online, self.config.target_update_rate)
        for target, online in zip(self.target.buffers(), self.online.buffers(), strict=True):
            target.copy_(online)
        self._target_items = None

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network."""
        return {"q": torch.optim.Adam(self.online.parameters(), lr=self.config.learning_rate)}

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
        self._forget_items()

    def _forget_items(self) -> None:
        self._items: Tensor | None = None
        self._target_items: Tensor | None = None
        self._mean_q: Tensor | None = None
