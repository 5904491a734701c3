"""Tables of values: reinforcement learning where states can be counted, and its guarantees hold."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.components import require_consistent
from recframe.interfaces import (
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    Observation,
    Replay,
    Rollout,
    StateTracker,
    Transition,
    allowed_items,
    best_items,
)
from recframe.item_agents.exploration import epsilon_greedy, linear_schedule, num_allowed
from recframe_plugins.agents.tabular.config import TabularConfig, TabularQLearningConfig, TabularSarsaConfig
from recframe_plugins.agents.tabular.states import FeatureBins, LastItem, OneHot, StateSpace

MAX_VALUES = 10_000_000


class TabularAgent(Agent):
    """Shows the item of the highest value in the table, or epsilon-greedily a random one. Subclasses say what the target is.

    values: `[S, M]` float32, Q of each state and item.   updates: `[S, M]` float32, how often each was moved.
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
                f"a table of {shape[0]:,} states by {shape[1]:,} items is more than {MAX_VALUES:,} values, and most would never be met: "
                "use fewer bins, thresholds or items, or an agent that generalizes, such as dqn"
            )
        self.register_buffer("values", torch.full(shape, config.initial_value, device=spec.device))
        self.register_buffer("updates", torch.zeros(shape, device=spec.device))

    @property
    def epsilon(self) -> float:
        """The present probability of a random item."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The item of the highest value, or an epsilon-greedy choice."""
        greedy = best_items(observation, self.values[self.states(observation)], 1)
        return epsilon_greedy(observation, greedy, self.epsilon, self.spec.num_items, self.generator) if explore else Decision(greedy)

    @torch.no_grad()
    def update(self, batch: Transition, next_value: Tensor) -> None:
        """Q(s, a) += alpha (y - Q(s, a)) for a batch `[B]`, y = r + gamma next_value; the errors of one s and a are averaged.

        alpha is the learning rate, divided by the (s, a)'s number of updates to the power of `learning_rate_decay`
        (Even-Dar & Mansour, 2003).
        """
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        td_target = batch.reward + self.config.gamma * next_value.masked_fill(batch.terminated, 0.0)
        cells = self.states(batch.observation) * self.spec.num_items + batch.slate[:, 0]
        values, updates = self.values.view(-1), self.updates.view(-1)
        # over the cells that were met: over all of the table, an update would cost several copies of it
        met, which = cells.unique(return_inverse=True)
        mean_target = td_target.new_zeros(len(met)).scatter_reduce(0, which, td_target, "mean", include_self=False)[which]
        # a pair that was met twice is written twice, and the same each time
        updates[cells] = updates[cells] + 1
        rate = self.config.learning_rate / updates[cells] ** self.config.learning_rate_decay
        values[cells] = torch.lerp(values[cells], mean_target, rate)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """None: a table is moved directly."""
        return {}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon, and the share of the table that was ever moved."""
        return {"epsilon": self.epsilon, "visited": (self.updates > 0).float().mean()}


class QLearning(TabularAgent):
    """y = r + gamma max_a Q(s', a) (Watkins & Dayan, 1992), on transitions from a replay memory: any policy's will do."""

    config: TabularQLearningConfig

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the table is moved."""
        following = self.values[self.states(batch.next_observation)]
        self.update(batch, allowed_items(batch.next_observation, following).amax(dim=1))
        yield from ()


class Sarsa(TabularAgent):
    """y = r + gamma Q(s', a') with the action a' that the exploring policy took in s' (Rummery & Niranjan, 1994).

    Where a' is not in the rollout, because the session was cut or the rollout ends, its expectation under the policy stands in, as in
    expected SARSA (van Seijen et al., 2009): the same target on average.
    """

    config: TabularSarsaConfig

    @property
    def experience(self) -> Experience:
        """Rollouts, in order of time."""
        return Rollout()

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the table is moved, one step of all users after the other."""
        steps = len(batch)
        for t in range(steps):
            expected = self.expected_value(batch.next_observation[t])
            if t + 1 < steps:
                taken = self.values[self.states(batch.next_observation[t]), batch.slate[t + 1, :, 0]]
                # the next action of a user whose session was cut is another user's
                expected = torch.where(batch.truncated[t], expected, taken)
            self.update(batch[t], expected)
        yield from ()

    def expected_value(self, observation: Observation) -> Tensor:
        """E[Q(s, a)] under the epsilon-greedy policy as it is now, `[N]`."""
        values = allowed_items(observation, self.values[self.states(observation)])
        mean = values.masked_fill(values == -torch.inf, 0.0).sum(dim=1) / num_allowed(observation, self.spec.num_items)
        return self.epsilon * mean + (1 - self.epsilon) * values.amax(dim=1)


def _states(config: TabularConfig, spec: EnvironmentSpec) -> StateSpace:
    if config.state == "bins":
        return FeatureBins(spec, config.bins, config.low, config.high)
    return OneHot(spec) if config.state == "one_hot" else LastItem(spec, config.thresholds)
