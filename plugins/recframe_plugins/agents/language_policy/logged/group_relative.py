"""GRPO on a log: groups of items that the policy writes for a context of the log, rewarded by what the log knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from recframe.interfaces import Experience, Transition
from recframe_plugins.agents.language_policy.logged.replayed import replay_of
from recframe_plugins.agents.language_policy.losses import group_advantages, group_collapse, grpo_loss, reference_kl
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy
    from recframe_plugins.agents.language_policy.generator import ItemGenerator, PathEvaluation


class LoggedGRPO(LearningRule):
    """Group-relative policy optimization (Shao et al., 2024) with constrained generations, as in MiniOneRec and ReRe.

    For each context, G items are written. The reward of one is the logged reward if it is the logged item, and 0 otherwise: the log does
    not tell what people would have done with other items. Advantages are relative to the group. A group in which nobody wrote the
    logged item teaches nothing (`group_collapse`), so start from a policy that learned by cross-entropy.
    """

    @property
    def experience(self) -> Experience:
        """Single interactions."""
        return replay_of(self.config.batch_size)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """`epochs` steps on the groups of a batch."""
        config, policy, observation = self.config, agent.policy, batch.observation
        items = policy.generations(observation, config.generations, agent.generator)
        rewards = batch.reward.unsqueeze(1) * (items == batch.slate[:, :1])
        advantages = group_advantages(rewards).flatten()

        def paths(policy: ItemGenerator) -> PathEvaluation:
            return policy.evaluate_items(observation, items)

        reference = agent.reference(policy, "logged", lambda policy: paths(policy).log_probs).flatten(0, 1) if config.kl_weight else None
        old: Tensor | None = None
        for _ in range(config.epochs):
            path = paths(policy)
            log_probs, written = path.log_probs.flatten(0, 1), path.is_choice.flatten(0, 1)
            old = log_probs.detach() if old is None else old
            loss = grpo_loss(
                log_probs,
                old,
                advantages,
                written,
                clip_range=config.clip_range,
                reference=reference,
                kl_weight=config.kl_weight,
            )
            agent.latest = {"group_collapse": group_collapse(rewards), "hits": (rewards != 0).float().mean()}
            if reference is not None:
                agent.latest["kl"] = reference_kl(log_probs.detach().sum(dim=1), reference.sum(dim=1)).mean()
            yield OPTIMIZER, loss
