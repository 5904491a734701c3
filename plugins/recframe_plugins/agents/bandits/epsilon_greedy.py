"""An epsilon-greedy linear bandit (Sutton & Barto, 2018)."""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe.item_agents.exploration import epsilon_greedy, linear_schedule
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig
from recframe_plugins.agents.bandits.linear_bandit import LinearBandit


class EpsilonGreedy(LinearBandit):
    """Shows a random slate with probability epsilon, which falls over time, and otherwise the slate of the highest expected reward."""

    def __init__(self, config: EpsilonGreedyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.config = config

    @property
    def epsilon(self) -> float:
        """The current probability of a random slate."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    def explore(self, observation: Observation) -> Decision:
        """An epsilon-greedy choice."""
        return epsilon_greedy(observation, self.greedy(observation), self.epsilon, self.spec.num_items, self.generator)

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon."""
        return {"epsilon": self.epsilon}
