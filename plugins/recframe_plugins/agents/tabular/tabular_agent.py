"""The base of the tabular agents: a table of the values of all states and items."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.components import require_consistent
from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Observation,
    StateTracker,
    Transition,
    best_items,
)
from recframe.item_agents.exploration import epsilon_greedy, linear_schedule
from recframe.item_agents.search import as_ranking
from recframe_plugins.agents.tabular.config import TabularConfig
from recframe_plugins.agents.tabular.states import FeatureBins, LastItem, OneHot, StateSpace

MAX_VALUES = 10_000_000


class TabularAgent(Agent):
    """Shows the item of the highest value in the table, or an epsilon-greedy choice in training. Subclasses define the target.

    values: `[S, M]` float32, Q of each state and item.   updates: `[S, M]` float32, how often each value was updated.
    """

    values: Tensor
    updates: Tensor

    def __init__(self, config: TabularConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        if spec.slate_size != 1:
            raise ValueError(f"a tabular agent shows one item at a time: environment.slate_size must be 1, not {spec.slate_size}")
        require_consistent(config)
        self.config = config
        self.states = _states(config, spec)
        shape = (self.states.size, spec.num_items)
        if shape[0] * shape[1] > MAX_VALUES:
            raise ValueError(
                f"a table of {shape[0]:,} states by {shape[1]:,} items is more than {MAX_VALUES:,} values, most of them never visited: "
                "use fewer bins, thresholds or items, or an agent that generalizes, such as dqn"
            )
        self.register_buffer("values", torch.full(shape, config.initial_value, device=spec.device))
        self.register_buffer("updates", torch.zeros(shape, device=spec.device))

    @property
    def epsilon(self) -> float:
        """The current probability of a random item."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The item of the highest value, or an epsilon-greedy choice."""
        greedy = best_items(observation, self.values[self.states(observation)], 1)
        return epsilon_greedy(observation, greedy, self.epsilon, self.spec.num_items, self.generator) if explore else Decision(greedy)

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The items of the highest values, `[N, k]`."""
        items = self.spec.num_items
        best = best_items(observation, self.values[self.states(observation)], min(k, items))
        return as_ranking(observation, best, items, k)

    @torch.no_grad()
    def update(self, batch: Transition, next_value: Tensor) -> None:
        """Q(s, a) += alpha (y - Q(s, a)) for a batch `[B]`, with y = r + gamma next_value. Errors of the same (s, a) are averaged.

        alpha is the learning rate, divided by the number of updates of (s, a) to the power of `learning_rate_decay` (Even-Dar &
        Mansour, 2003).
        """
        # a truncated session would have continued, so it bootstraps; only a terminated one has no next value
        td_target = batch.reward + self.config.gamma * next_value.masked_fill(batch.terminated, 0.0)
        cells = self.states(batch.observation) * self.spec.num_items + batch.slate[:, 0]
        values, updates = self.values.view(-1), self.updates.view(-1)
        # only over the visited cells: over the whole table an update would take several copies of it
        visited, which = cells.unique(return_inverse=True)
        mean_target = td_target.new_zeros(len(visited)).scatter_reduce(0, which, td_target, "mean", include_self=False)[which]
        # a pair that occurs twice is written twice with the same value
        updates[cells] = updates[cells] + 1
        rate = self.config.learning_rate / updates[cells] ** self.config.learning_rate_decay
        values[cells] = torch.lerp(values[cells], mean_target, rate)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers: the table is updated directly."""
        return {}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon, and the share of the table that was updated."""
        return {"epsilon": self.epsilon, "visited": (self.updates > 0).float().mean()}


def _states(config: TabularConfig, spec: EnvironmentSpec) -> StateSpace:
    if config.state == "bins":
        return FeatureBins(spec, config.bins, config.low, config.high)
    return OneHot(spec) if config.state == "one_hot" else LastItem(spec, config.thresholds)
