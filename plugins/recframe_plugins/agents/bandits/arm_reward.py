"""A linear model of the immediate reward with coefficients of each item's own (Li et al., 2010)."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, EnvironmentSpec, Observation, StateTracker, Transition
from recframe.references.bilinear import add_to_history
from recframe_plugins.agents.bandits.arm_sums import MAX_NUMBERS, ArmPosterior, ArmSums, SharedPart
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.linear_scores import ItemTable
from recframe_plugins.agents.bandits.reward_model import RewardModel

MAX_BYTES = 2**30
"""Memory of the matrices of all items."""


class ArmReward(RewardModel):
    """E[reward of item a | user u] = theta_a' x (disjoint), or z' beta + theta_a' x (hybrid), with Gaussian priors on theta_a and beta.

    x `[d]` are the features of the user, and 1 if a is in the history, d = P + 1. z are the features phi of `LinearReward`, so beta are its
    coefficients. An item without rewards is expected to bring 0 in the disjoint model, and z' beta in the hybrid one.

    Scores are of all items at once, because the matrices of each item bound their number.

    Raises
    ------
    ValueError: if the matrices of all items take more memory than `MAX_BYTES`.
    """

    changed: Tensor

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__(config, spec, state_tracker)
        self.hybrid = config.model == "hybrid"
        dims, shared_dims = self.user_size + 1, self.user_size * self.item_size + 1 if self.hybrid else 0
        needed = spec.num_items * dims * (dims + shared_dims) * torch.float64.itemsize
        if needed > MAX_BYTES:
            shared = f" and {dims:,} x {shared_dims:,}" if self.hybrid else ""
            raise ValueError(
                f"agent.model={config.model} keeps {dims:,} x {dims:,}{shared} numbers for each of {spec.num_items:,} items, "
                f"{needed / 2**30:.2f} GiB, where {MAX_BYTES / 2**30:.0f} GiB is the limit: set fewer agent.text_dims (now "
                f"{config.text_dims}) or agent.response_dims (now {config.response_dims}), or agent.model=shared"
            )
        self.sums = ArmSums(spec.num_items, dims, shared_dims, config.ridge, spec.device)
        self.register_buffer("changed", torch.zeros(spec.num_items, dtype=torch.bool, device=spec.device), persistent=False)
        self._latest: ArmPosterior | None = None

    @torch.no_grad()
    def learn(self, batch: Transition) -> None:
        """Add the rewards of all items shown in a batch `[B]` to the sums."""
        with torch.autocast(self.changed.device.type, enabled=False):
            self.observe(batch.observation)
            self._add(self.sums, batch.observation, batch.slate, self.items(), batch.item_reward)
            self.changed[batch.slate.flatten()] = True

    @torch.no_grad()
    def posterior(self) -> ArmPosterior:
        """The current distribution of the coefficients. In the disjoint model only those of items with new rewards are computed."""
        if self.hybrid:
            return self.sums.hybrid(self.items()[:-1], self.user_size)
        if self._latest is None:
            self._latest = ArmPosterior(*self.sums.disjoint(torch.arange(len(self.changed), device=self.changed.device)))
        else:
            arms = self.changed.nonzero().squeeze(1)
            mean, covariance = self.sums.disjoint(arms)
            # not in place: earlier posteriors stay as they are
            latest = self._latest
            self._latest = ArmPosterior(latest.mean.index_copy(0, arms, mean), latest.covariance.index_copy(0, arms, covariance))
        self.changed.zero_()
        return self._latest

    def forget(self) -> None:
        """Compute the posterior from the sums when it is next needed."""
        self._latest = None

    @torch.no_grad()
    def after(self, posterior: ArmPosterior, observation: Observation, chosen: Tensor, items: Tensor) -> ArmPosterior:
        """The posterior with the covariance after the rewards of `chosen` `[N, K]` are learned; it does not depend on their values."""
        ahead = posterior.ahead if posterior.ahead is not None else copy.deepcopy(self.sums)
        self._add(ahead, observation, chosen, items, None)
        if self.hybrid:
            # every item's covariance changes with A_0
            return posterior._replace(covariance=ahead.hybrid(items[:-1], self.user_size).covariance, ahead=ahead)
        arms = chosen.flatten()
        # an item that is shown twice is set twice to the same value
        covariance = posterior.covariance.index_copy(0, arms, ahead.disjoint(arms)[1])
        return posterior._replace(covariance=covariance, ahead=ahead)

    def expected(self, observation: Observation, items: Tensor, coefficients: Tensor) -> ItemTable:
        """The expected reward of every item under coefficients `[M, d]`."""
        users, history = self.users(observation, items), observation.history_items
        return ItemTable(self._with_repeats(users @ coefficients[:, :-1].T, history, coefficients[:, -1][history]))

    def variance(self, observation: Observation, items: Tensor, covariance: Tensor) -> Tensor:
        """x' C_a x `[N, M]` of every item under covariances C_a `[M, d, d]`."""
        users, history = self.users(observation, items), observation.history_items
        pairs = (users[:, :, None] * users[:, None, :]).flatten(start_dim=1)
        linear, constant = covariance[:, :-1, -1], covariance[:, -1, -1]
        repeats = 2 * torch.einsum("nd,nhd->nh", users, linear[history]) + constant[history]
        # rounding may make a variance near zero negative
        return self._with_repeats(pairs @ covariance[:, :-1, :-1].flatten(start_dim=1).T, history, repeats).clamp(min=0.0)

    def bounds(self, observation: Observation, items: Tensor, posterior: ArmPosterior, alpha: float) -> ItemTable:
        """Algorithm 1, line 9, and Algorithm 2, line 14."""
        expected = self.expected(observation, items, posterior.mean).scores
        return ItemTable(expected + alpha * self.variance(observation, items, posterior.covariance).sqrt())

    def sampled(
        self, observation: Observation, items: Tensor, posterior: ArmPosterior, scale: float, generator: torch.Generator
    ) -> ItemTable:
        """Expected rewards under drawn coefficients: beta for each user, then each item's reward given beta.

        Given beta, items are independent, and x' theta_a of a drawn theta_a is a normal number with the variance scale^2 x' A_a^-1 x.
        """
        if posterior.shared is None:
            expected, own = self.expected(observation, items, posterior.mean).scores, posterior.covariance
        else:
            expected, own = self._given_drawn_beta(observation, items, posterior.shared, scale, generator), posterior.shared.own
        noise = torch.randn(expected.shape, generator=generator, device=generator.device)
        return ItemTable(expected + scale * self.variance(observation, items, own).sqrt() * noise)

    def _given_drawn_beta(
        self, observation: Observation, items: Tensor, shared: SharedPart, scale: float, generator: torch.Generator
    ) -> Tensor:
        """Expected rewards `[N, M]` given a beta for each user from N(A_0^-1 b_0, scale^2 A_0^-1)."""
        users, history = self.users(observation, items), observation.history_items
        noise = torch.randn(len(shared.mean), len(users), generator=generator, device=generator.device)
        betas = shared.mean[:, None] + scale * torch.linalg.solve_triangular(shared.factor.T, noise, upper=True)
        size = max(1, MAX_NUMBERS // (shared.offset.shape[1] * len(users)))
        parts = []
        for offset, carried in zip(shared.offset.split(size), shared.carried.split(size), strict=True):
            # [m, d, N]
            coefficients = offset[:, :, None] + carried @ betas
            parts.append(torch.stack([torch.einsum("nd,mdn->nm", users, coefficients[:, :-1]), coefficients[:, -1].T]))
        scores, repeats = torch.cat(parts, dim=2)
        return self._with_repeats(scores, history, repeats.gather(1, history.clamp(min=0)))

    def _add(self, sums: ArmSums, observation: Observation, chosen: Tensor, items: Tensor, rewards: Tensor | None) -> None:
        """Add the items `chosen` `[B, K]`, part by part."""
        dims = self.sums.mixed.shape[1]
        rows = max(1, MAX_NUMBERS // (chosen.shape[1] * dims * max(dims, self.sums.mixed.shape[2])))
        reward_parts = [None] * -(-len(chosen) // rows) if rewards is None else [part.flatten() for part in rewards.split(rows)]
        for part, slate, reward in zip(observation.split(rows), chosen.split(rows), reward_parts, strict=True):
            users = self.users(part, items)
            again = (slate[:, :, None] == part.history_items[:, None, :]).any(dim=2, keepdim=True)
            x = torch.cat([users[:, None, :].expand(-1, slate.shape[1], -1), again.to(users.dtype)], dim=2)
            z = self.features(part, slate, items) if self.hybrid else x[..., :0]
            x, z = (self.learned(features, slate).flatten(end_dim=1) for features in (x, z))
            sums.add(slate.flatten(), x, z, reward)

    @staticmethod
    def _with_repeats(scores: Tensor, history: Tensor, extra: Tensor) -> Tensor:
        """`scores` `[N, M]` with `extra` `[N, H]` added to the items of the history."""
        # the column after the last is that of PAD
        return add_to_history(F.pad(scores, (0, 1)), torch.where(history == PAD, scores.shape[1], history), extra)
