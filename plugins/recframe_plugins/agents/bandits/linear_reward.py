"""A linear model of the immediate reward, learned in closed form, for the bandits and the greedy baseline."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.linear_scores import Expected, UpperBounds, Variance
from recframe_plugins.agents.bandits.reward_features import ROWS
from recframe_plugins.agents.bandits.reward_model import RewardModel


class Posterior(NamedTuple):
    """The distribution of the coefficients given all rewards so far, in float32.

    mean: `[n]`.   factor: the Cholesky factor L of the precision, `[n, n]`.   covariance: `(L L')^-1` `[n, n]`.
    """

    mean: Tensor
    factor: Tensor
    covariance: Tensor


class LinearReward(RewardModel):
    """E[reward of item i | user u] = theta' phi(u, i) with a Gaussian prior on theta, phi as in `recframe.references.bilinear`.

    The posterior is that of Bayesian linear regression: precision A = lambda I + sum phi phi' and mean A^-1 b with b = sum phi r. Both
    sums are kept in float64 buffers.
    """

    precision: Tensor
    cross: Tensor

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__(config, spec, state_tracker)
        size = self.user_size * self.item_size + 1
        self.register_buffer("precision", config.ridge * torch.eye(size, dtype=torch.float64, device=spec.device))
        self.register_buffer("cross", torch.zeros(size, dtype=torch.float64, device=spec.device))

    @torch.no_grad()
    def learn(self, batch: Transition) -> None:
        """Add the rewards of all items shown in a batch `[B]` to the sums: A += phi phi', b += phi r."""
        # without mixed precision, as in acting, so that it learns from the same features
        with torch.autocast(self.precision.device.type, enabled=False):
            self.observe(batch.observation)
            items = self.items()
            for part in batch.split(max(1, ROWS // batch.slate.shape[1])):
                phi = self.learned(self.features(part.observation, part.slate, items), part.slate).flatten(end_dim=1).double()
                self.precision += phi.T @ phi
                self.cross += phi.T @ part.item_reward.flatten().double()

    @torch.no_grad()
    def posterior(self) -> Posterior:
        """The current distribution of the coefficients."""
        factor = torch.linalg.cholesky(self.precision)
        mean = torch.cholesky_solve(self.cross.unsqueeze(1), factor).squeeze(1)
        return Posterior(mean.float(), factor.float(), torch.cholesky_inverse(factor).float())

    def bounds(self, observation: Observation, items: Tensor, posterior: Posterior, alpha: float) -> UpperBounds:
        """theta' phi + alpha sqrt(phi' A^-1 phi) of every item."""
        expected = self.expected(observation, items, posterior.mean)
        return UpperBounds(expected, self.variance(observation, items, posterior.covariance), alpha)

    def sampled(self, observation: Observation, items: Tensor, posterior: Posterior, scale: float, generator: torch.Generator) -> Expected:
        """Expected rewards of every item under coefficients that are drawn for each user."""
        return self.expected(observation, items, self.draw(posterior, len(observation.user), scale, generator))

    def draw(self, posterior: Posterior, users: int, scale: float, generator: torch.Generator) -> Tensor:
        """Random coefficients for each user, `[N, n]`, from N(A^-1 b, scale^2 A^-1)."""
        noise = torch.randn(len(posterior.mean), users, generator=generator, device=generator.device)
        # the covariance of L^-T z is (L L')^-1
        deviations: Tensor = scale * torch.linalg.solve_triangular(posterior.factor.T, noise, upper=True).T
        return posterior.mean + deviations

    def after(self, posterior: Posterior, observation: Observation, chosen: Tensor, items: Tensor) -> Posterior:
        """The posterior with the covariance after the rewards of `chosen` `[N, K]` are learned; it does not depend on their values.

        The factor stays: bounds do not use it.
        """
        return posterior._replace(covariance=self.covariance_after(posterior.covariance, observation, chosen, items))

    def forget(self) -> None:
        """Nothing is kept."""

    def covariance_after(self, covariance: Tensor, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """The covariance `[n, n]` after the rewards of `chosen` `[N, K]` are learned; it does not depend on their values.

        (C^-1 + Phi' Phi)^-1 = C - C Phi' (I + Phi C Phi')^-1 Phi C, where Phi has a row phi for each item or question seen (Woodbury).
        """
        rows = max(1, ROWS // chosen.shape[1])
        slates = chosen.split(rows)
        for part, slate in zip(observation.split(rows), slates, strict=True):
            phi = self.learned(self.features(part, slate, items), slate).flatten(end_dim=1)
            reach = phi @ covariance
            # its eigenvalues are at least 1, so cholesky_ex without a check suffices and does not wait for the device
            factor = torch.linalg.cholesky_ex(torch.eye(len(phi), device=phi.device) + reach @ phi.T).L
            gain = torch.linalg.solve_triangular(factor, reach, upper=False)
            covariance = covariance - gain.T @ gain
        return covariance

    def expected(self, observation: Observation, items: Tensor, coefficients: Tensor) -> Expected:
        """theta' phi of every item. `coefficients` are `[n]`, or `[N, n]` with different ones for each user."""
        matrix = coefficients[..., :-1].unflatten(-1, (self.user_size, self.item_size))
        users, history = self.users(observation, items), observation.history_items
        query = users @ matrix if matrix.dim() == 2 else torch.einsum("np,npq->nq", users, matrix)
        return Expected(query, coefficients[..., -1:].expand(len(users), history.shape[1]), history, items)

    def variance(self, observation: Observation, items: Tensor, covariance: Tensor) -> Variance:
        """phi' C phi of every item under the covariance C.

        (x (x) y)' C (x (x) y) = y' S y, where S `[Q, Q]` depends only on the user. This is a product of N rows S with M rows y (x) y.
        """
        users, history = self.users(observation, items), observation.history_items
        blocks = covariance[:-1, :-1].reshape(self.user_size, -1)
        partial = (users @ blocks).view(len(users), self.item_size, self.user_size, self.item_size)
        quadratic = torch.einsum("nqps,np->nqs", partial, users).flatten(start_dim=1)
        # phi of an item in the history ends in a one
        linear = users @ covariance[:-1, -1].reshape(self.user_size, self.item_size)
        repeat = 2 * torch.einsum("nq,nhq->nh", linear, items[history]) + covariance[-1, -1]
        return Variance(quadratic, repeat, history, items)
