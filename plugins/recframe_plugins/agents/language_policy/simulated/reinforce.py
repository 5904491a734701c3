"""REINFORCE with a learned baseline, for slates that a language policy writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import StateTracker, Transition
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.rules import OPTIMIZER
from recframe_plugins.agents.language_policy.simulated.rule import SimulatedRule
from recframe_plugins.agents.language_policy.simulated.values import Values
from recframe_plugins.agents.policy_gradient.advantages import explained_variance, normalized

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy


class SimulatedReinforce(SimulatedRule):
    """One step a chunk of - log pi(slate | s) (G - V(s)), with rewards-to-go G (Williams, 1992).

    The loss has an entropy bonus and the KL to a reference, too.
    V(next observation) replaces the rewards of a session beyond its chunk, or beyond a time limit.
    """

    def __init__(self, config: LanguagePolicyConfig, state_tracker: StateTracker | None) -> None:
        super().__init__(config, state_tracker)
        self.values = Values(config.gamma)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The loss on a chunk `[T, N]`."""
        config, policy, flat = self.config, agent.policy, batch.reshape(-1)
        self.values.start(batch)
        now = policy.evaluate(flat.observation, flat.slate)
        old = now.token_log_probs.detach()
        reference = self.reference_in_loss(agent, flat.observation, flat.slate, old)
        value = self.values.of(now.value.detach())
        advantages = self.values.advantages(policy, batch, value.view_as(batch.reward), gae_lambda=1.0).flatten()
        returns = advantages + value
        if config.normalize_advantages:
            advantages = normalized(advantages)
        policy_loss = -(now.log_prob * advantages).mean() - config.entropy_weight * now.entropy.mean()
        value_loss = F.mse_loss(now.value, self.values.targets(returns))
        agent.latest |= {"mean_value": value.mean(), "explained_variance": explained_variance(value, returns)}
        yield OPTIMIZER, policy_loss + config.value_weight * value_loss + self.kl_loss(now.token_log_probs, old, reference)

    def state_dict(self) -> dict[str, Any]:
        """The unit of the values."""
        return {"values": self.values.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.values.load_state_dict(state["values"])
