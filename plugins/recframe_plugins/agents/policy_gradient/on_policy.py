"""What the agents that learn on-policy have in common: how they act, and which optimizer takes which loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Rollout, StateTracker, Transition
from recframe.item_agents.item_agent import ItemAgent
from recframe.item_agents.optimization import adam
from recframe.item_agents.softmax_policy import best_slate, draw_slate
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.policy_gradient.config import OnPolicyConfig
from recframe_plugins.agents.policy_gradient.policy_and_value import ItemVectors, PolicyAndValue


class OnPolicyAgent(ItemAgent):
    """Draws slates from a softmax over items, and learns from whole chunks `[T, N]` of its own experience.

    In a large catalogue a chunk is acted over a working set, and learned from over the same one: the policy that is learned is the one
    that acted, the softmax restricted to the set, so that its probabilities and gradients are exact. What is shown without exploring is
    chosen by the scores learned so, among all items.

    Raises
    ------
    ValueError: the value is given a learning rate of its own where the network is shared.
    """

    config: OnPolicyConfig

    def __init__(self, config: OnPolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        if config.network == "shared" and config.value_learning_rate is not None:
            raise ValueError(
                "agent.value_learning_rate is for network: separate; a shared network has one optimizer: use agent.value_weight, or null"
            )
        self.config = config
        self.network = PolicyAndValue(state_tracker, config.temperature, config.network == "shared", spec.device)
        self.latest: dict[str, Tensor] = {}

    @property
    def experience(self) -> Experience:
        """Its own chunks."""
        return Rollout()

    def project(self, items: Items) -> Tensor:
        """The policy's item vectors."""
        return items.vectors(self.network.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """A slate drawn from the policy, or the most likely one."""
        preferences, k = self.network.preferences(observation, vectors, items.count), self.spec.slate_size
        if explore or not self.config.greedy_evaluation:
            return draw_slate(preferences, k, self.generator)
        return best_slate(preferences, k)

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """Those that the chunk was acted over."""
        return self.working_set.of_chunk(batch, self.generator)

    @torch.no_grad()
    def next_values(self, batch: Transition, value: Tensor, vectors: ItemVectors) -> Tensor:
        """V of what each step of a chunk led to, `[T, N]`, given those `[T, N]` of what its steps started from.

        A step leads to what the next one starts from, unless its session ended. Where it terminated, nothing counts that value; so only
        what was truncated, by a time limit or by the chunk's end, has to be looked at.
        """
        cut = batch.truncated.clone()
        cut[-1] = True
        next_value = value.roll(-1, dims=0)
        next_value[cut] = self.network.values(batch.next_observation[cut], vectors)
        return next_value

    def steps(self, policy_loss: Tensor, value_loss: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The two losses, each for its optimizer, or their weighted sum where the network is shared."""
        if self.config.network == "shared":
            yield "policy_and_value", policy_loss + self.config.value_weight * value_loss
        else:
            yield "policy", policy_loss
            yield "value", value_loss

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on policy and value, apart or together."""
        config, network = self.config, self.network
        if config.network == "shared":
            return {"policy_and_value": adam(network.parameters(), config.learning_rate)}
        return {
            "policy": adam(network.policy_parameters(), config.learning_rate),
            "value": adam(network.value_parameters(), config.value_learning_rate or config.learning_rate),
        }

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Numbers of the last chunk."""
        return dict(self.latest)

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self.latest = {}
