"""PPO, for slates that a language policy writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import StateTracker, Transition, own_minibatches
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.rules import OPTIMIZER
from recframe_plugins.agents.language_policy.simulated.rule import SimulatedRule, clipped_share
from recframe_plugins.agents.language_policy.simulated.values import Values
from recframe_plugins.agents.policy_gradient.advantages import explained_variance, normalized
from recframe_plugins.agents.policy_gradient.clipping import clipped_gain

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy


class SimulatedPPO(SimulatedRule):
    """`epochs` times `minibatches` clipped steps a chunk (Schulman et al., 2017) with generalized advantages (Schulman et al., 2016).

    The probability ratio is that of whole slates. The loss has an entropy bonus and the KL to a reference.
    """

    def __init__(self, config: LanguagePolicyConfig, state_tracker: StateTracker | None) -> None:
        super().__init__(config, state_tracker)
        self.values = Values(config.gamma)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The loss on each minibatch of each epoch over a chunk `[T, N]`."""
        config, policy, flat = self.config, agent.policy, batch.reshape(-1)
        steps, users = batch.reward.shape
        self.values.start(batch)
        with torch.no_grad():
            old = policy.evaluate(flat.observation, flat.slate)
        reference = self.reference_in_loss(agent, flat.observation, flat.slate, old.token_log_probs)
        value = self.values.of(old.value)
        advantages = self.values.advantages(policy, batch, value.view_as(batch.reward), config.gae_lambda).flatten()
        targets = self.values.targets(advantages + value)
        agent.latest |= {"mean_value": value.mean(), "explained_variance": explained_variance(value, advantages + value)}
        if config.normalize_advantages:
            advantages = normalized(advantages)
        steps, users = batch.reward.shape
        for _ in range(config.epochs):
            for rows, _ in own_minibatches(steps, users, config.minibatches, agent.generator):
                now = policy.evaluate(flat.observation[rows], flat.slate[rows])
                log_ratio = now.log_prob - old.log_prob[rows]
                gain = clipped_gain(log_ratio, advantages[rows], config.clip_range).mean() + config.entropy_weight * now.entropy.mean()
                value_loss = F.mse_loss(now.value, targets[rows])
                agent.latest["clipped"] = clipped_share(log_ratio, config.clip_range)
                kl = self.kl_loss(now.token_log_probs, old.token_log_probs[rows], reference, rows)
                yield OPTIMIZER, config.value_weight * value_loss - gain + kl

    def state_dict(self) -> dict[str, Any]:
        """The unit of the values."""
        return {"values": self.values.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""
        self.values.load_state_dict(state["values"])
