"""A linear model of the immediate reward, learned in closed form: what the bandits and the greedy reference agent have in common."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import (
    PAD,
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
from recframe_plugins.agents.bandits.config import LinearRewardConfig
from recframe_plugins.agents.bandits.linear_scores import Expected, Variance

ROWS = 2_048
"""Shown items whose features are held at once."""


class Posterior(NamedTuple):
    """The coefficients' distribution given all rewards so far: `mean` `[n]`, the precision's Cholesky factor L `[n, n]`, and the
    covariance `(L L')^-1` `[n, n]`, all float32.
    """

    mean: Tensor
    factor: Tensor
    covariance: Tensor


class LinearReward(nn.Module):
    """E[reward of item i | user u] = theta' phi(u, i), phi = [x_u (x) y_i, 1 if i was shown lately], under a Gaussian prior on theta.

    x_u `[P]`: a constant; the share of the history that is filled; mean feedback; the mean text of the history, plain and weighted by each
    signal; profile, context and features, as far as there are any.   y_i `[Q]`: a constant, text, log-popularity. Every pair of the
    two has its coefficient (compare Chu & Park, 2009), shared by all items: n = P Q + 1 of them, however large the catalogue is.

    The posterior is that of Bayesian linear regression: precision A = lambda I + sum phi phi' and mean A^-1 b with b = sum phi r, both sums
    kept in float64 buffers. x and y are scaled so that phi has a norm of about one.
    """

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker) -> None:
        super().__init__()
        data = state_tracker.data
        self.texts = state_tracker.item_projection.texts
        self.profiles = _table(data.users.profiles if data.users is not None and spec.has_users else None)
        self.contexts = _table(data.contexts if spec.has_context else None)
        popularity = data.catalog.popularity.clamp(min=0).log1p().unsqueeze(1)
        self.log_popularity = FrozenTable(standardized(popularity))
        # saved, because an eigenvector's sign may be another on another machine
        self.register_buffer("axes", text_axes(self.texts.values, config.text_dims))
        dims, signals = self.axes.shape[1], len(spec.signals)
        texts = 1 + signals + (self.profiles is not None) + (self.contexts is not None)
        self.user_size = 2 + signals + texts * dims + spec.num_features
        self.item_size = 2 + dims
        size = self.user_size * self.item_size + 1
        self.register_buffer("precision", config.ridge * torch.eye(size, dtype=torch.float64, device=spec.device))
        self.register_buffer("cross", torch.zeros(size, dtype=torch.float64, device=spec.device))

    def items(self) -> Tensor:
        """y of all items `[M + 1, Q]`; the last row is of zeros, and `PAD` finds it."""
        texts = self.texts.values @ self.axes
        features = torch.cat([torch.ones_like(self.log_popularity.values), texts, self.log_popularity.values], dim=1)
        return F.pad(features / self.item_size**0.5, (0, 0, 0, 1))

    def users(self, observation: Observation, items: Tensor) -> Tensor:
        """x of each user `[N, P]`, given y of all items."""
        shown = (observation.history_items != PAD).float()
        feedback = symlog(observation.history_feedback)
        count = shown.sum(dim=1, keepdim=True).clamp(min=1.0)
        # the text's part of y, on the texts' own scale
        texts = items[observation.history_items, 1:-1] * self.item_size**0.5
        weights = torch.cat([shown.unsqueeze(2), feedback], dim=2)
        means = torch.einsum("nhw,nhd->nwd", weights, texts) / count.unsqueeze(2)
        parts = [torch.ones_like(count), shown.mean(dim=1, keepdim=True), feedback.sum(dim=1) / count, means.flatten(start_dim=1)]
        if self.profiles is not None:
            parts.append(self.profiles.values[observation.user] @ self.axes)
        if self.contexts is not None:
            parts.append(self.contexts.values[observation.context] @ self.axes)
        if observation.features is not None:
            parts.append(symlog(observation.features))
        return torch.cat(parts, dim=1) / self.user_size**0.5

    def features(self, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """phi `[N, K, n]` of the items numbered `chosen` `[N, K]`."""
        pairs = torch.einsum("np,nkq->nkpq", self.users(observation, items), items[chosen]).flatten(start_dim=2)
        again = (chosen.unsqueeze(2) == observation.history_items.unsqueeze(1)).any(dim=2, keepdim=True)
        return torch.cat([pairs, again.float()], dim=2)

    @torch.no_grad()
    def learn(self, batch: Transition) -> None:
        """Add the rewards of all items shown in a batch `[B]` to the sums: A += phi phi', b += phi r."""
        # mixed precision would learn from other features than those that decide
        with torch.autocast(self.precision.device.type, enabled=False):
            items = self.items()
            for part in batch.split(max(1, ROWS // batch.slate.shape[1])):
                phi = self.features(part.observation, part.slate, items).flatten(end_dim=1).double()
                self.precision += phi.T @ phi
                self.cross += phi.T @ part.item_reward.flatten().double()

    @torch.no_grad()
    def posterior(self) -> Posterior:
        """The coefficients' distribution as it is now."""
        factor = torch.linalg.cholesky(self.precision)
        mean = torch.cholesky_solve(self.cross.unsqueeze(1), factor).squeeze(1)
        return Posterior(mean.float(), factor.float(), torch.cholesky_inverse(factor).float())

    def foreseen(self, covariance: Tensor, observation: Observation, chosen: Tensor, items: Tensor) -> Tensor:
        """The covariance `[n, n]` that is left once the rewards of `chosen` `[N, K]` are known, whatever they are.

        (C^-1 + Phi' Phi)^-1 = C - C Phi' (I + Phi C Phi')^-1 Phi C, with a row phi of Phi for each item shown (Woodbury).
        """
        rows = max(1, ROWS // chosen.shape[1])
        for part, slate in zip(observation.split(rows), chosen.split(rows), strict=True):
            phi = self.features(part, slate, items).flatten(end_dim=1)
            reach = phi @ covariance
            # its eigenvalues are 1 or more, so that there is nothing to check, and no wait for the device
            factor = torch.linalg.cholesky_ex(torch.eye(len(phi), device=phi.device) + reach @ phi.T).L
            gain = torch.linalg.solve_triangular(factor, reach, upper=False)
            covariance = covariance - gain.T @ gain
        return covariance

    def expected(self, observation: Observation, items: Tensor, coefficients: Tensor) -> Expected:
        """theta' phi of every item; `coefficients` are `[n]`, or `[N, n]`: each user's own."""
        matrix = coefficients[..., :-1].unflatten(-1, (self.user_size, self.item_size))
        users, history = self.users(observation, items), observation.history_items
        query = users @ matrix if matrix.dim() == 2 else torch.einsum("np,npq->nq", users, matrix)
        return Expected(query, coefficients[..., -1:].expand(len(users), history.shape[1]), history, items)

    def variance(self, observation: Observation, items: Tensor, covariance: Tensor) -> Variance:
        """phi' C phi of every item under the covariance C.

        (x (x) y)' C (x (x) y) = y' S y, where S `[Q, Q]` is a function of the user alone: a product of N rows S with M rows y (x) y.
        """
        users, history = self.users(observation, items), observation.history_items
        blocks = covariance[:-1, :-1].reshape(self.user_size, -1)
        partial = (users @ blocks).view(len(users), self.item_size, self.user_size, self.item_size)
        quadratic = torch.einsum("nqps,np->nqs", partial, users).flatten(start_dim=1)
        # of an item shown lately, phi ends in a one
        linear = users @ covariance[:-1, -1].reshape(self.user_size, self.item_size)
        repeat = 2 * torch.einsum("nq,nhq->nh", linear, items[history]) + covariance[-1, -1]
        return Variance(quadratic, repeat, history, items)


def text_axes(vectors: Tensor, dims: int) -> Tensor:
    """The axes `[D, d]` on which standardized `vectors` `[M, D]` spread most, scaled: the coordinates have an average variance of one."""
    components = principal_components((vectors.T @ vectors).double() / len(vectors)).leading(dims)
    return components.rescaled().axes.to(vectors.dtype).contiguous()


def _table(texts: Texts | None) -> FrozenTable | None:
    return None if texts is None or texts.vectors is None else FrozenTable(standardized(texts.vectors))
