"""The base of the on-policy agents: a softmax policy over items, a state value, and their optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Rollout, StateTracker, Transition
from recframe.item_agents import ItemAgent, Items, PolicyScores, adam, draw_slate, search_items
from recframe_plugins.agents.policy_gradient.config import OnPolicyConfig
from recframe_plugins.agents.policy_gradient.policy_and_value import ItemVectors, PolicyAndValue


class OnPolicyAgent(ItemAgent):
    """Draws slates from a softmax over items, and learns from whole chunks `[T, N]` of its own experience.

    In a large catalogue, a chunk is acted over a working set, and learned from over the same set: the policy learned is the one that
    acted, the softmax restricted to the set, so its probabilities and gradients are exact. Without exploration, the slate is chosen among
    all items.

    Raises
    ------
    ValueError: a learning rate for the value is set, but the network is shared; or the state tracker has dropout: the probabilities in
        an update would not be those of the policy that acted, and their ratio not 1 before the first step.
    """

    config: OnPolicyConfig

    def __init__(self, config: OnPolicyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        if config.network == "shared" and config.value_learning_rate is not None:
            raise ValueError(
                "agent.value_learning_rate is for network: separate; a shared network has one optimizer: use agent.value_weight, or null"
            )
        if state_tracker.dropout_in_updates > 0:
            raise ValueError(
                f"state_tracker.dropout must be 0, not {state_tracker.dropout_in_updates:g}: an on-policy agent learns from the "
                "probabilities with which it acted, and acting leaves out nothing (dqn, soft_actor_critic and ddpg can learn with dropout)"
            )
        self.config = config
        self.network = PolicyAndValue(state_tracker, config.temperature, config.network == "shared", spec.device)
        self.latest: dict[str, Tensor] = {}

    @property
    def experience(self) -> Experience:
        """The agent's own chunks."""
        return Rollout()

    def project(self, items: Items) -> Tensor:
        """The policy's item vectors."""
        return items.vectors(self.network.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """A slate drawn from the policy, or the most probable one."""
        if explore or not self.config.greedy_evaluation:
            return draw_slate(self.network.scores(observation, vectors, items.num_items), self.spec.slate_size, self.generator)
        return Decision(self.greedy(observation, items, vectors, self.spec.slate_size))

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The most probable items: those of the highest scores."""
        scores = self.network.scores(observation, vectors, items.num_items)
        return search_items(observation, scores, items.num_items, k, candidates_only=True).items

    def scored(self, observation: Observation, items: Items, vectors: Tensor) -> PolicyScores:
        """The logits of the items."""
        return self.network.scores(observation, vectors, items.num_items)

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """The items that the chunk was acted over, and the chunk in their numbers."""
        return self.working_set.for_chunk(batch, self.generator)

    @torch.no_grad()
    def next_values(self, batch: Transition, value: Tensor, vectors: ItemVectors) -> Tensor:
        """V of the observation after each step of a chunk, `[T, N]`, given V of the observation before it, `value` `[T, N]`.

        The observation after a step is that before the next one, unless the session ended. After termination the value is not used; so
        only truncated steps, by a time limit or by the chunk's end, are evaluated.
        """
        cut = batch.truncated.clone()
        cut[-1] = True
        next_value = value.roll(-1, dims=0)
        next_value[cut] = self.network.values(batch.next_observation[cut], vectors)
        return next_value

    def steps(self, policy_loss: Tensor, value_loss: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The two losses, each for its optimizer, or their weighted sum if the network is shared."""
        if self.config.network == "shared":
            yield "policy_and_value", policy_loss + self.config.value_weight * value_loss
        else:
            yield "policy", policy_loss
            yield "value", value_loss

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on policy and value, separately or together."""
        config, network = self.config, self.network
        if config.network == "shared":
            return {"policy_and_value": adam(network.parameters(), config.learning_rate)}
        return {
            "policy": adam(network.policy_parameters(), config.learning_rate),
            "value": adam(network.value_parameters(), config.value_learning_rate or config.learning_rate),
        }

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Statistics of the last chunk."""
        return dict(self.latest)

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self.latest = {}
