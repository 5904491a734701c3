"""GRPO on a log: groups of items that the policy writes for a context of the log, rewarded by what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from recframe.interfaces import Experience, Transition
from recframe_plugins.agents.language_policy.logged.replayed import KL_CONTEXTS, replay_of, without_items
from recframe_plugins.agents.language_policy.losses import group_advantages, group_collapse, grpo_loss, reference_kl
from recframe_plugins.agents.language_policy.rules import OPTIMIZER, LearningRule

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.agent import LanguagePolicy
    from recframe_plugins.agents.language_policy.generator import ItemGenerator, PathEvaluation


class LoggedGRPO(LearningRule):
    """Group-relative policy optimization (Shao et al., 2024) with constrained generations, as in MiniOneRec and ReRe.

    For each context, G items are written, of those that could be recommended, and that can be the logged one: they occur in the log, and
    where the log never shows a person an item twice, they are not in the history. Terms of the run's reward that do not read what people
    did rate all of them (`Log.item_rewards`). The others rate the logged item, if it was written: the log does not tell what people would
    have done with other items.

    Advantages are relative to the group. If all terms read what people did, contexts whose logged reward is 0 are left out, and a group in
    which nobody wrote the logged item teaches nothing (`group_collapse`), so start from a policy that learned by cross-entropy.
    """

    @property
    def experience(self) -> Experience:
        """Single interactions."""
        return replay_of(self.config.batch_size)

    def losses(self, agent: LanguagePolicy, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """`epochs` steps on the groups of a batch; none for a batch of which nothing can be learned."""
        config, policy, known = self.config, agent.policy, agent.logged_items
        observation = batch.observation if known.repeats else without_items(batch.observation, batch.observation.history_items)
        if known.rewards is None:
            # whatever is written elsewhere, all rewards of the group are 0
            learned = (batch.reward != 0) & policy.may_show(observation, batch.slate[:, :1], known.among).squeeze(1)
        else:
            learned = policy.book.tree.allowed(observation, known.among).total() > 1
        if not bool(learned.any()):
            return
        batch, observation = batch[learned], observation[learned]
        items = policy.generations(observation, config.generations, agent.generator, known.among)
        hits = items == batch.slate[:, :1]
        rewards = batch.reward.unsqueeze(1) * hits if known.rewards is None else known.rewards(batch, items)
        advantages = group_advantages(rewards).flatten()

        def paths(policy: ItemGenerator, rows: slice) -> PathEvaluation:
            return policy.evaluate_items(observation[rows], items[rows], known.among)

        compared: slice = slice(None) if config.kl_weight else slice(KL_CONTEXTS)
        reference = agent.reference(policy, "logged", lambda policy: paths(policy, compared).log_probs)
        old: Tensor | None = None
        for _ in range(config.epochs):
            path = paths(policy, slice(None))
            log_probs, written = path.log_probs.flatten(0, 1), path.is_choice.flatten(0, 1)
            old = log_probs.detach() if old is None else old
            loss = grpo_loss(
                log_probs,
                old,
                advantages,
                written,
                clip_range=config.clip_range,
                reference=reference.flatten(0, 1) if config.kl_weight else None,
                kl_weight=config.kl_weight,
            )
            agent.latest = {
                "group_collapse": group_collapse(rewards),
                "mean_reward": rewards.mean(),
                "hits": hits.float().mean(),
                "kl": reference_kl(path.log_probs[compared].detach().sum(dim=2), reference.sum(dim=2)).mean(),
            }
            yield OPTIMIZER, loss
