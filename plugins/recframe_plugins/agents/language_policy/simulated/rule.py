"""What the rules of the simulated stage have in common: chunks of experience, and the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recframe.interfaces import Experience, Observation, Rollout, StateTracker
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.losses import reference_kl
from recframe_plugins.agents.language_policy.rules import LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy

KL_SLATES = 64
"""Slates of a chunk by which the divergence from the reference is measured where it is not part of the loss."""


class SimulatedRule(LearningRule):
    """Learns from the chunks `[T, N]` that the policy itself collects.

    Raises
    ------
    ValueError: the state tracker has dropout: the probabilities in an update would not be those of the policy that acted.
    """

    def __init__(self, config: LanguagePolicyConfig, state_tracker: StateTracker | None) -> None:
        super().__init__(config)
        if state_tracker is not None and state_tracker.dropout_in_updates > 0:
            raise ValueError(
                f"state_tracker.dropout must be 0, not {state_tracker.dropout_in_updates:g}: a language policy in a simulator learns from "
                "the probabilities with which it acted, and acting leaves out nothing"
            )

    @property
    def experience(self) -> Experience:
        """The policy's own chunks."""
        return Rollout()

    def reference(self, agent: LanguagePolicy, observation: Observation, slate: Tensor) -> Tensor:
        """The log-probabilities `[B, K, L]` of the slates' codes under the policy as it was when the stage began."""
        return agent.reference(agent.policy, "simulated", lambda policy: policy.evaluate(observation, slate).token_log_probs)

    def reference_in_loss(self, agent: LanguagePolicy, observation: Observation, slate: Tensor, log_probs: Tensor) -> Tensor | None:
        """`reference` of all slates where the loss has its divergence, else None; measures the divergence.

        log_probs: `[B, K, L]`, of the slates' codes under the policy that drew them.
        """
        rows: slice | Tensor = slice(None) if self.config.kl_weight else _some_rows(len(slate), slate.device)
        reference = self.reference(agent, observation[rows], slate[rows])
        # at a place without a choice both are 0
        agent.latest["kl"] = reference_kl(log_probs[rows].detach(), reference).sum(dim=(1, 2)).mean()
        return reference if self.config.kl_weight else None

    def kl_loss(self, log_probs: Tensor, old: Tensor, reference: Tensor | None, rows: Tensor | None = None) -> Tensor | float:
        """`kl_weight` times the mean divergence of a slate from the reference; 0 without one.

        Arguments are `[B, K, L]`; see `grpo_loss` for the weight by pi / pi_old.   rows: those of `reference` that are meant.
        """
        if reference is None:
            return 0.0
        divergence = (log_probs - old).exp() * reference_kl(log_probs, reference if rows is None else reference[rows])
        return self.config.kl_weight * divergence.sum(dim=(1, 2)).mean()


def _some_rows(count: int, device: torch.device) -> Tensor:
    """Up to `KL_SLATES` rows of a chunk, from all its steps and users; the agent's own generator is left alone."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(count))[:KL_SLATES].sort().values.to(device)


@torch.no_grad()
def clipped_share(log_ratio: Tensor, clip_range: float) -> Tensor:
    """The share of the probability ratios that are outside of the clipping range; a scalar."""
    return (log_ratio.expm1().abs() > clip_range).float().mean()
