"""A linear model of the immediate reward, learned in closed form, for the bandits and the greedy baseline."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import (
    EnvironmentSpec,
    FrozenTable,
    Observation,
    StateTracker,
    Texts,
    Transition,
    principal_components,
    standardized,
    symlog,
)
from recframe.references.bilinear import bilinear_features, user_features
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.linear_scores import Expected, Variance

ROWS = 2_048
"""Number of shown items whose features are held at once."""


class Posterior(NamedTuple):
    """The distribution of the coefficients given all rewards so far, in float32.

    mean: `[n]`.   factor: the Cholesky factor L of the precision, `[n, n]`.   covariance: `(L L')^-1` `[n, n]`.
    """

    mean: Tensor
    factor: Tensor
    covariance: Tensor


class LinearReward(nn.Module):
    """E[reward of item i | user u] = theta' phi(u, i) with a Gaussian prior on theta, phi as in `recframe.references.bilinear`.

    x_u `[P]`: the features of `user_features`, and, if they exist, profile, context and raw features.
    y_i `[Q]`: a constant, text, log-popularity.

    The posterior is that of Bayesian linear regression: precision A = lambda I + sum phi phi' and mean A^-1 b with b = sum phi r. Both
    sums are kept in float64 buffers. x and y are scaled so that phi has a norm of about one.
    """

    precision: Tensor
    cross: Tensor
    axes: Tensor

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__()
        data = state_tracker.data
        self.texts = state_tracker.item_projection.texts
        self.profiles = _table(data.users.profiles if data.users is not None and spec.has_users else None)
        self.contexts = _table(data.contexts if spec.has_context else None)
        popularity = data.catalog.popularity.clamp(min=0).log1p().unsqueeze(1)
        self.log_popularity = FrozenTable(standardized(popularity))
        # saved, because the sign of an eigenvector may differ between machines
        self.register_buffer("axes", text_axes(self.texts.values, config.text_dims))
        dims, signals = self.axes.shape[1], len(spec.signals)
        texts = 1 + signals + (self.profiles is not None) + (self.contexts is not None)
        self.user_size = 2 + signals + texts * dims + spec.num_features
        self.item_size = 2 + dims
        size = self.user_size * self.item_size + 1
        self.register_buffer("precision", config.ridge * torch.eye(size, dtype=torch.float64, device=spec.device))
        self.register_buffer("cross", torch.zeros(size, dtype=torch.float64, device=spec.device))

    def items(self) -> Tensor:
        """y of all items `[M + 1, Q]`. The last row is of zeros, and `PAD` (-1) indexes it."""
        texts = self.texts.values @ self.axes
        features = torch.cat([torch.ones_like(self.log_popularity.values), texts, self.log_popularity.values], dim=1)
        return F.pad(features / self.item_size**0.5, (0, 0, 0, 1))

    def users(self, observation: Observation, items: Tensor) -> Tensor:
        """x of each user `[N, P]`, given y of all items."""
        # the text's part of y, on the texts' own scale
        texts = items[observation.history_items, 1:-1] * self.item_size**0.5
        others = []
        if self.profiles is not None:
            others.append(self.profiles.values[observation.user] @ self.axes)
        if self.contexts is not None:
            others.append(self.contexts.values[observation.context] @ self.axes)
        if observation.features is not None:
            others.append(symlog(observation.features))
        features: Tensor = user_features(observation, symlog(observation.history_feedback), texts, others) / self.user_size**0.5
        return features

    def features(self, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """phi `[N, K, n]` of the items numbered `chosen` `[N, K]`."""
        return bilinear_features(self.users(observation, items), items, chosen, observation.history_items)

    @torch.no_grad()
    def learn(self, batch: Transition) -> None:
        """Add the rewards of all items shown in a batch `[B]` to the sums: A += phi phi', b += phi r."""
        # without mixed precision, as in acting, so that it learns from the same features
        with torch.autocast(self.precision.device.type, enabled=False):
            items = self.items()
            for part in batch.split(max(1, ROWS // batch.slate.shape[1])):
                phi = self.features(part.observation, part.slate, items).flatten(end_dim=1).double()
                self.precision += phi.T @ phi
                self.cross += phi.T @ part.item_reward.flatten().double()

    @torch.no_grad()
    def posterior(self) -> Posterior:
        """The current distribution of the coefficients."""
        factor = torch.linalg.cholesky(self.precision)
        mean = torch.cholesky_solve(self.cross.unsqueeze(1), factor).squeeze(1)
        return Posterior(mean.float(), factor.float(), torch.cholesky_inverse(factor).float())

    def covariance_after(self, covariance: Tensor, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """The covariance `[n, n]` after the rewards of `chosen` `[N, K]` are learned; it does not depend on their values.

        (C^-1 + Phi' Phi)^-1 = C - C Phi' (I + Phi C Phi')^-1 Phi C, where Phi has a row phi for each item shown (Woodbury).
        """
        rows = max(1, ROWS // chosen.shape[1])
        slates = chosen.split(rows)
        for part, slate in zip(observation.split(rows), slates, strict=True):
            phi = self.features(part, slate, items).flatten(end_dim=1)
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


def text_axes(vectors: Tensor, dims: int) -> Tensor:
    """The axes `[D, d]` on which standardized `vectors` `[M, D]` spread most, scaled: the coordinates have an average variance of one."""
    components = principal_components((vectors.T @ vectors).double() / len(vectors)).leading(dims)
    return components.rescaled().axes.to(vectors.dtype).contiguous()


def _table(texts: Texts | None) -> FrozenTable | None:
    return None if texts is None or texts.vectors is None else FrozenTable(standardized(texts.vectors))
