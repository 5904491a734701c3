"""Tabular Q-learning (Watkins & Dayan, 1992)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from recframe.interfaces import Experience, Replay, Transition, allowed_items
from recframe_plugins.agents.tabular.config import TabularQLearningConfig
from recframe_plugins.agents.tabular.tabular_agent import TabularAgent


class TabularQLearning(TabularAgent):
    """y = r + gamma max_a Q(s', a) (Watkins & Dayan, 1992), on transitions of any policy, from a replay memory."""

    config: TabularQLearningConfig

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the table is updated."""
        following = self.values[self.states(batch.next_observation)]
        self.update(batch, allowed_items(batch.next_observation, following).amax(dim=1))
        yield from ()
