"""Tabular SARSA (Rummery & Niranjan, 1994)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import Experience, Observation, Rollout, Transition, allowed_items, num_allowed
from recframe_plugins.agents.tabular.config import TabularSarsaConfig
from recframe_plugins.agents.tabular.tabular_agent import TabularAgent


class TabularSarsa(TabularAgent):
    """y = r + gamma Q(s', a') with the action a' that the exploring policy took in s' (Rummery & Niranjan, 1994).

    If a' is not in the rollout, because the session was truncated or the rollout ends, the target is the expectation over a' under the
    policy, as in expected SARSA (van Seijen et al., 2009), which is the same on average.
    """

    config: TabularSarsaConfig

    @property
    def experience(self) -> Experience:
        """Rollouts, whose steps are in order of time."""
        return Rollout()

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the table is updated, one step of all users after the other."""
        steps = len(batch)
        for t in range(steps):
            expected = self.expected_value(batch.next_observation[t])
            if t + 1 < steps:
                taken = self.values[self.states(batch.next_observation[t]), batch.slate[t + 1, :, 0]]
                # after a truncated session, the next action belongs to another user
                expected = torch.where(batch.truncated[t], expected, taken)
            self.update(batch[t], expected)
        yield from ()

    def expected_value(self, observation: Observation) -> Tensor:
        """E[Q(s, a)] under the current epsilon-greedy policy, `[N]`."""
        values = allowed_items(observation, self.values[self.states(observation)])
        mean = values.masked_fill(values == -torch.inf, 0.0).sum(dim=1) / num_allowed(observation, self.spec.num_items)
        return self.epsilon * mean + (1 - self.epsilon) * values.amax(dim=1)
