"""Actor-critic (A2C and PPO): a policy that learns from the advantages of its actions, in one or several steps per chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition, mean_of_all, own_minibatches
from recframe.item_agents import Items, slate_probability
from recframe_plugins.agents.policy_gradient.advantages import explained_variance, generalized_advantages, normalized
from recframe_plugins.agents.policy_gradient.clipping import clipped_gain
from recframe_plugins.agents.policy_gradient.config import ActorCriticConfig
from recframe_plugins.agents.policy_gradient.on_policy import OnPolicyAgent


class RolloutSamples(NamedTuple):
    """The B = T N steps of a chunk, with the network's values and advantages of them before learning. Batch size `[B]`."""

    observation: Observation
    slate: Tensor
    log_prob: Tensor
    value: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, rows: Tensor) -> RolloutSamples:
        """Some of the steps."""
        observation: Observation = self.observation[rows]
        return RolloutSamples(observation, *(part[rows] for part in self[1:]))


class ActorCritic(OnPolicyAgent):
    """A2C, the synchronous A3C (Mnih et al., 2016), with generalized advantages (Schulman et al., 2016); with a `clip_range`, PPO.

    PPO (Schulman et al., 2017) takes `epochs` times `minibatches` steps per chunk, and clips the gain of moving away from the policy that
    acted. With one step per chunk, the two are the same (Huang et al., 2022).

    Raises
    ------
    ValueError: several steps per chunk without a clip_range.
    """

    config: ActorCriticConfig

    def __init__(self, config: ActorCriticConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        if config.clip_range is None and config.epochs * config.minibatches > 1:
            raise ValueError(
                "agent.clip_range must be set, to 0.2 for instance, where agent.epochs or agent.minibatches exceed 1: after the first step "
                "the chunk is no longer on-policy"
            )

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The policy's and the value's loss on each minibatch of each epoch over a chunk `[T, N]`."""
        config, chunk = self.config, self.rollout_samples(batch, items)
        steps, users = batch.reward.shape
        values = {"mean_value": chunk.value.mean(), "explained_variance": explained_variance(chunk.value, chunk.returns)}
        for _ in range(config.epochs):
            divergences = []
            for rows, weight in own_minibatches(steps, users, config.minibatches, self.generator):
                part = chunk.rows(rows)
                scores, value = self.network(part.observation, self.network.vectors(items))
                probability = slate_probability(scores, part.slate)
                log_ratio = probability.log_prob - part.log_prob
                entropy = probability.entropy.mean()
                with torch.no_grad():
                    # never negative, and with less variance than -log_ratio (Schulman, 2020, "Approximating KL divergence")
                    divergences.append(weight * (log_ratio.expm1() - log_ratio).mean())
                policy_loss = self.policy_loss(log_ratio, part.advantages) - config.entropy_weight * entropy
                yield from self.steps(weight * policy_loss, weight * self.value_loss(value, part))
            kl = mean_of_all(torch.stack(divergences))
            self.latest = {**values, "entropy": entropy.detach()}
            if config.clip_range is not None:
                self.latest |= {"kl": kl, "clipped": (log_ratio.detach().expm1().abs() > config.clip_range).float().mean()}
            if config.target_kl is not None and float(kl) > config.target_kl:
                break

    @torch.no_grad()
    def rollout_samples(self, batch: Transition, items: Items) -> RolloutSamples:
        """The values and advantages of a chunk `[T, N]` by the network before learning."""
        config, flat, vectors = self.config, batch.reshape(-1), self.network.vectors(items)
        value = self.network.values(flat.observation, vectors).view_as(batch.reward)
        advantages = generalized_advantages(
            batch.reward,
            value,
            self.next_values(batch, value, vectors),
            batch.terminated,
            batch.truncated,
            config.gamma,
            config.gae_lambda,
        ).flatten()
        scaled = normalized(advantages) if config.normalize_advantages else advantages
        return RolloutSamples(flat.observation, flat.slate, flat.log_prob, value.flatten(), scaled, advantages + value.flatten())

    def policy_loss(self, log_ratio: Tensor, advantages: Tensor) -> Tensor:
        """- L^CLIP (`clipped_gain`) of log(pi / pi_old) `[B]`."""
        return -clipped_gain(log_ratio, advantages, self.config.clip_range).mean()

    def value_loss(self, value: Tensor, part: RolloutSamples) -> Tensor:
        """Mean squared error of values `[B]`; with `value_clip`, the larger of the errors of the value and of the clipped value."""
        error = (value - part.returns).square()
        if self.config.value_clip is not None:
            clipped = part.value + (value - part.value).clamp(-self.config.value_clip, self.config.value_clip)
            error = torch.maximum(error, (clipped - part.returns).square())
        return error.mean()
