"""REINFORCE: a policy that learns from rewards-to-go less a learned baseline."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Transition, mean_of_all
from recframe.item_agents import Items, SlateProbability, slate_probability
from recframe_plugins.agents.policy_gradient.advantages import explained_variance, generalized_advantages, normalized
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.on_policy import OnPolicyAgent


class Reinforce(OnPolicyAgent):
    """REINFORCE (Williams, 1992) with rewards-to-go, a learned baseline V(s), and an entropy bonus.

    Chunks cut sessions into parts. V(next observation) replaces the rewards of a session beyond its chunk, or beyond a time limit; for a
    session that ends within its chunk only rewards count. So `trainer.chunk_steps` is the largest number of rewards before a value.
    """

    config: ReinforceConfig

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The policy's and the baseline's loss on a chunk `[T, N]`."""
        flat, vectors = batch.reshape(-1), self.network.vectors(items)
        scores, baseline = self.network(flat.observation, vectors)
        value = baseline.detach().view_as(batch.reward)
        advantages = self.advantages(batch, value, self.next_values(batch, value, vectors))
        rewards_to_go = advantages.flatten() + baseline.detach()

        probability = slate_probability(scores, flat.slate)
        entropy = probability.entropy.mean()
        policy_loss = self.policy_loss(probability, advantages.flatten(), flat.item_reward) - self.config.entropy_weight * entropy
        self.latest = {
            "entropy": entropy.detach(),
            "mean_value": baseline.detach().mean(),
            "explained_variance": explained_variance(baseline.detach(), rewards_to_go),
        }
        yield from self.steps(policy_loss, F.mse_loss(baseline, rewards_to_go))

    def advantages(self, batch: Transition, baseline: Tensor, next_value: Tensor) -> Tensor:
        """Reward-to-go less baseline, `[T, N]`."""
        return generalized_advantages(
            batch.reward, baseline, next_value, batch.terminated, batch.truncated, self.config.gamma, gae_lambda=1.0
        )

    def policy_loss(self, probability: SlateProbability, advantages: Tensor, item_reward: Tensor) -> Tensor:
        """- log pi(slate | s) A, averaged; `advantages` `[N]`, `item_reward` `[N, K]`.

        With the top-K correction (Chen et al., 2019, section 4.3): - sum over the slate's items a of lambda_K log pi(a | s) A(s, a), where
        lambda_K = K (1 - pi(a | s))^(K - 1): the probability of an item that is likely to be in the slate anyway hardly changes. The
        importance weight is 1, because a chunk is learned from once, by the policy that acted. The advantage of an item counts its own
        reward and all later rewards, but not those of the other items of its slate; V(s) includes the rewards of K items, so the mean
        reward of K - 1 items is subtracted from it.
        """
        if not self.config.top_k_correction:
            return -(probability.log_prob * self.scaled(advantages)).mean()
        k = item_reward.shape[1]
        neighbours = item_reward.sum(dim=1, keepdim=True) - item_reward
        item_advantages = advantages.unsqueeze(1) - neighbours + (k - 1) * mean_of_all(item_reward)
        pi = probability.item_log_probs.detach().exp()
        lambda_k = k * (1 - pi) ** (k - 1)
        return -(lambda_k * probability.item_log_probs * self.scaled(item_advantages)).sum(dim=1).mean()

    def scaled(self, advantages: Tensor) -> Tensor:
        """The advantages, normalized if the option is set."""
        return normalized(advantages) if self.config.normalize_advantages else advantages
