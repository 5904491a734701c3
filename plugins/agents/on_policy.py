"""What the agents that learn on-policy have in common: how they act, and which optimizer takes which loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Agent, Decision, EnvironmentSpec, Experience, Observation, Rollout, StateTracker
from recframe_plugins.agents.item_support import ItemSample
from recframe_plugins.agents.on_policy_config import OnPolicyConfig
from recframe_plugins.agents.policies import best_slate, draw_slate
from recframe_plugins.agents.policy_value import PolicyAndValue


class OnPolicyAgent(Agent):
    """Draws slates from a softmax over items, and learns from whole chunks `[T, N]` of its own experience.

    Raises
    ------
    ValueError: the value is given a learning rate of its own where the network is shared.
    """

    config: OnPolicyConfig

    def __init__(self, config: OnPolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        if config.network == "shared" and config.value_learning_rate is not None:
            raise ValueError(
                "agent.value_learning_rate is for network: separate; a shared network has one optimizer: use agent.value_weight, or null"
            )
        self.config = config
        self.network = PolicyAndValue(state_tracker, config.temperature, config.network == "shared", spec.device)
        self.latest: dict[str, Tensor] = {}
        self._items: Tensor | None = None

    @property
    def experience(self) -> Experience:
        """Its own chunks."""
        return Rollout()

    @torch.no_grad()
    def prepare_to_act(self) -> None:
        """Project all items once for the coming decisions."""
        self._items = self.network.state_tracker.project_items()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """A slate drawn from the policy, or the most likely one."""
        if self._items is None:
            self.prepare_to_act()
        preferences, k = self.network.preferences(observation, self._items), self.spec.slate_size
        if explore or not self.config.greedy_evaluation:
            return draw_slate(preferences, k, self.generator)
        return best_slate(preferences, k)

    def draw_sample(self, shown: Tensor) -> ItemSample | None:
        """The items that stand for the catalogue while a chunk is learned from that has `shown` these; None: all do, or the candidates."""
        config, num_items = self.config, self.spec.num_items
        if self.spec.num_candidates or num_items <= max(config.full_softmax_items, config.softmax_samples):
            return None
        return ItemSample.draw(shown, num_items, config.softmax_samples, self.generator)

    def steps(self, policy_loss: Tensor, value_loss: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The two losses, each for its optimizer, or their weighted sum where the network is shared."""
        self._items = None  # the coming step changes the weights they were projected with
        if self.config.network == "shared":
            yield "policy_and_value", policy_loss + self.config.value_weight * value_loss
        else:
            yield "policy", policy_loss
            yield "value", value_loss

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on policy and value, apart or together."""
        config, network = self.config, self.network
        if config.network == "shared":
            return {"policy_and_value": torch.optim.Adam(network.parameters(), lr=config.learning_rate)}
        return {
            "policy": torch.optim.Adam(network.policy_parameters(), lr=config.learning_rate),
            "value": torch.optim.Adam(network.value_parameters(), lr=config.value_learning_rate or config.learning_rate),
        }

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Numbers of the last chunk."""
        return dict(self.latest)

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self._items, self.latest = None, {}
