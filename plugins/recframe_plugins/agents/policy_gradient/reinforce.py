"""REINFORCE: makes what turned out better than expected more likely."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Transition
from recframe.item_agents.softmax_policy import SlateProbability, slate_probability
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.policy_gradient.advantages import explained_variance, generalized_advantages, normalized
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.on_policy import OnPolicyAgent


class Reinforce(OnPolicyAgent):
    """REINFORCE (Williams, 1992) with rewards-to-go, a learned baseline V(s), and an entropy bonus.

    Chunks cut sessions into parts. For what a session would earn beyond its chunk, V(next observation) stands, as it does beyond a time
    limit; a session that ends within its chunk is judged by what it earned and nothing else. So `trainer.chunk_steps` says how many
    rewards are counted before a value is trusted.
    """

    config: ReinforceConfig

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The policy's and the baseline's loss on a chunk `[T, N]`."""
        flat, vectors = batch.reshape(-1), self.network.vectors(items)
        preferences, baseline = self.network(flat.observation, vectors)
        value = baseline.detach().view_as(batch.reward)
        advantages = self.advantages(batch, value, self.next_values(batch, value, vectors))
        rewards_to_go = advantages.flatten() + baseline.detach()

        probability = slate_probability(preferences, flat.slate)
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
        lambda_K = K (1 - pi(a | s))^(K - 1): an item that is likely to be in the slate anyway is pushed no more. The importance weight is
        one, as a chunk is learned from once, by the policy that acted. An item answers for its own reward and for all that follows, not for
        its neighbours' rewards; as V(s) expects K items' rewards, the mean reward of K - 1 is taken off it.
        """
        if not self.config.top_k_correction:
            return -(probability.log_prob * self.scaled(advantages)).mean()
        k = item_reward.shape[1]
        neighbours = item_reward.sum(dim=1, keepdim=True) - item_reward
        item_advantages = advantages.unsqueeze(1) - neighbours + (k - 1) * item_reward.mean()
        pi = probability.item_log_probs.detach().exp()
        lambda_k = k * (1 - pi) ** (k - 1)
        return -(lambda_k * probability.item_log_probs * self.scaled(item_advantages)).sum(dim=1).mean()

    def scaled(self, advantages: Tensor) -> Tensor:
        """The advantages, normalized if that is asked for."""
        return normalized(advantages) if self.config.normalize_advantages else advantages
