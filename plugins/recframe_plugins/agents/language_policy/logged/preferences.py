"""Learning from preferences: an item with a reward against items of which its person is not known to have taken any (DPO, S-DPO)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recframe.interfaces import Experience, Observation, Transition
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.logged.replayed import KL_CONTEXTS, replay_of, taken_before, without_items
from recframe_plugins.agents.language_policy.losses import s_dpo_loss
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy
    from recframe_plugins.agents.language_policy.generator import ItemGenerator


class PreferenceLearning(LearningRule):
    """S-DPO (Chen et al., 2024), with one negative DPO (Rafailov et al., 2023).

    Preferred are the items of the log with a reward above 0. Rejected are other items that may be shown, that occur in the log, and that
    the person did not take in the history that the policy knows: drawn uniformly (`negatives_from=uniform`), or from the policy itself
    as it is now (`policy`), which are harder: those that it would recommend.
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
        among, first = agent.logged_items.among, batch.slate[:, :1]
        others = without_items(batch.observation, torch.cat([first, taken_before(batch.observation, agent.spec.signals)], dim=1))
        preferred = (batch.reward > 0) & policy.may_show(batch.observation, first, among).squeeze(1)
        preferred &= policy.book.tree.allowed(others, among).total() > 0
        if not bool(preferred.any()):
            return
        observation, chosen, others = batch.observation[preferred], first[preferred], others[preferred]
        rejected = self._rejected(agent, others)
        # among few candidates there may be fewer items to reject
        missing = ~policy.may_show(others, rejected, among)
        items = torch.cat([chosen, rejected.masked_fill(missing, 0)], dim=1)

        def log_probs(policy: ItemGenerator) -> Tensor:
            return policy.log_prob_of_items(observation, items, among)

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
            return agent.policy.draw(others, agent.generator, k=self.negatives, among=agent.logged_items.among).slate
        return agent.logged_items.draw(others, agent.spec.num_items, self.negatives, agent.generator)
