"""Learning from preferences: an item that people took against items that they were not seen to take (DPO, S-DPO)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recframe.interfaces import Experience, Observation, Transition, num_allowed, random_items
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.logged.replayed import replay_of, without_items
from recframe_plugins.agents.language_policy.losses import s_dpo_loss
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy
    from recframe_plugins.agents.language_policy.generator import ItemGenerator

KL_CONTEXTS = 16
"""Contexts of a batch in which the divergence from the reference is measured, by an item that is drawn for it."""


class PreferenceLearning(LearningRule):
    """S-DPO (Chen et al., 2024), with one negative DPO (Rafailov et al., 2023).

    Preferred are the items of the log with a reward above 0. Rejected are other items that may be shown, drawn uniformly
    (`negatives_from=uniform`), or from the policy itself as it is now (`policy`), which are harder: those that it would recommend.
    """

    def __init__(self, config: LanguagePolicyConfig, negatives: int) -> None:
        super().__init__(config)
        self.negatives = negatives

    @property
    def experience(self) -> Experience:
        """Single interactions."""
        return replay_of(self.config.batch_size)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """One step; none for a batch in which nothing is preferred."""
        policy = agent.policy
        preferred = (batch.reward > 0) & policy.may_show(batch.observation, batch.slate[:, :1]).squeeze(1)
        preferred &= num_allowed(batch.observation, agent.spec.num_items) > 1
        if not bool(preferred.any()):
            return
        observation, chosen = batch.observation[preferred], batch.slate[preferred][:, :1]
        others = without_items(observation, chosen)
        rejected = self._rejected(agent, others)
        # among few candidates there may be fewer items to reject
        missing = ~policy.may_show(others, rejected)
        items = torch.cat([chosen, rejected.masked_fill(missing, 0)], dim=1)

        def log_probs(policy: ItemGenerator) -> Tensor:
            return policy.log_prob_of_items(observation, items)

        now, reference = log_probs(policy), agent.reference(policy, "logged", log_probs)
        of_rejected = now[:, 1:].masked_fill(missing, -torch.inf), reference[:, 1:].masked_fill(missing, 0.0)
        margin = ((now[:, :1] - reference[:, :1]) - (now[:, 1:] - reference[:, 1:])).detach()[~missing]
        agent.latest = {
            "margin": margin.mean(),
            "preferred": (margin > 0).float().mean(),
            "kl": agent.kl(observation[:KL_CONTEXTS], "logged"),
        }
        yield OPTIMIZER, s_dpo_loss(now[:, 0], of_rejected[0], reference[:, 0], of_rejected[1], self.config.beta)

    @torch.no_grad()
    def _rejected(self, agent: LanguagePolicy, others: Observation) -> Tensor:
        if self.config.negatives_from == "policy":
            return agent.policy.draw(others, agent.generator, k=self.negatives).slate
        return random_items(others, agent.spec.num_items, self.negatives, agent.generator)
