"""Sums over the rewards of each item, and the coefficients that follow from them (Li et al., 2010, Algorithms 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

MAX_NUMBERS = 2**22
"""Numbers of a product of features, or of a part of the items' matrices, that are held at once."""


class SharedPart(NamedTuple):
    """What relates the coefficients of all items in the hybrid model, in float32.

    mean: beta `[k]`.   factor: the Cholesky factor of A_0 `[k, k]`.   offset: A_a^-1 b_a `[M, d]`.
    carried: T_a `[M, d, k]`: an item's coefficients given beta have the mean A_a^-1 b_a + T_a beta.   own: A_a^-1 `[M, d, d]`.
    """

    mean: Tensor
    factor: Tensor
    offset: Tensor
    carried: Tensor
    own: Tensor


class ArmPosterior(NamedTuple):
    """The distribution of each item's coefficients, what is shared included, in float32.

    mean: `[M, d]`.   covariance: `[M, d, d]`.   shared: of the hybrid model.
    ahead: the sums with the items shown since, whose rewards have not arrived (`ArmReward.after`).
    """

    mean: Tensor
    covariance: Tensor
    shared: SharedPart | None = None
    ahead: ArmSums | None = None


class ArmSums(nn.Module):
    """A_a = lambda I + sum x x', b_a = sum r x of each item; with shared features z also B_a = sum x z', sum z z' and sum r z.

    The paper updates A_0 and b_0 with each reward. They are (Algorithm 2, lines 17, 18, 22 and 23, added up)

        A_0 = lambda I + sum z z' - sum_a B_a' A_a^-1 B_a        b_0 = sum r z - sum_a B_a' A_a^-1 b_a

    so the order in which rewards arrive does not matter. All sums are float64 buffers.
    """

    precision: Tensor
    cross: Tensor
    mixed: Tensor
    shared_precision: Tensor
    shared_cross: Tensor

    def __init__(self, items: int, dims: int, shared_dims: int, ridge: float, device: torch.device) -> None:
        super().__init__()

        def buffer(name: str, value: Tensor) -> None:
            self.register_buffer(name, value)

        kind = {"dtype": torch.float64, "device": device}
        buffer("precision", (ridge * torch.eye(dims, **kind)).repeat(items, 1, 1))
        buffer("cross", torch.zeros(items, dims, **kind))
        buffer("mixed", torch.zeros(items, dims, shared_dims, **kind))
        buffer("shared_precision", ridge * torch.eye(shared_dims, **kind))
        buffer("shared_cross", torch.zeros(shared_dims, **kind))

    def add(self, arms: Tensor, x: Tensor, z: Tensor, rewards: Tensor | None) -> None:
        """Add n shown items `arms` `[n]` with features x `[n, d]` and z `[n, k]` and rewards `[n]`, or None: not known yet."""
        x, z = x.double(), z.double()
        self.precision.index_add_(0, arms, x[:, :, None] * x[:, None, :])
        self.mixed.index_add_(0, arms, x[:, :, None] * z[:, None, :])
        self.shared_precision += z.T @ z
        if rewards is not None:
            rewards = rewards.double()
            self.cross.index_add_(0, arms, x * rewards[:, None])
            self.shared_cross += z.T @ rewards

    def disjoint(self, arms: Tensor) -> tuple[Tensor, Tensor]:
        """Mean A_a^-1 b_a `[n, d]` and covariance A_a^-1 `[n, d, d]` of the items numbered `arms` `[n]`, float32."""
        # A_a is at least lambda I, so cholesky_ex without a check suffices and does not wait for the device
        factor = torch.linalg.cholesky_ex(self.precision[arms]).L
        mean = torch.cholesky_solve(self.cross[arms].unsqueeze(2), factor).squeeze(2)
        return mean.float(), torch.cholesky_inverse(factor).float()

    def hybrid(self, items: Tensor, user_size: int) -> ArmPosterior:
        """The posterior of all items, whose features y are `items` `[M, Q]`.

        z = [x_u (x) y_a, 1 if a is in the history] is Y_a x for x = [x_u, 1 if a is in the history], so an item's coefficients are, all in
        all, w_a = Y_a' beta + theta_a. With T_a = Y_a' - A_a^-1 B_a, the estimate and the variance of the paper (lines 11 to 14) are

            E[w_a] = A_a^-1 b_a + T_a beta        Cov[w_a] = A_a^-1 + T_a A_0^-1 T_a'
        """
        precision, cross = self.shared_precision.clone(), self.shared_cross.clone()
        for part in self._parts():
            factor = torch.linalg.cholesky_ex(self.precision[part]).L
            reach = torch.linalg.solve_triangular(factor, self.mixed[part], upper=False).flatten(end_dim=1)
            target = torch.linalg.solve_triangular(factor, self.cross[part].unsqueeze(2), upper=False).flatten()
            precision -= reach.T @ reach
            cross -= reach.T @ target
        shared_factor = torch.linalg.cholesky_ex(precision).L
        beta = torch.cholesky_solve(cross.unsqueeze(1), shared_factor).squeeze(1)
        parts = [self._given_shared(part, items[part].double(), user_size, shared_factor, beta) for part in self._parts()]
        mean, covariance, offset, carried, own = (torch.cat(values) for values in zip(*parts, strict=True))
        return ArmPosterior(mean, covariance, SharedPart(beta.float(), shared_factor.float(), offset, carried, own))

    def _given_shared(self, part: slice, items: Tensor, user_size: int, shared_factor: Tensor, beta: Tensor) -> tuple[Tensor, ...]:
        """Mean, covariance, offset, T_a and A_a^-1 of a part of the items."""
        factor = torch.linalg.cholesky_ex(self.precision[part]).L
        own = torch.cholesky_inverse(factor)
        offset = torch.cholesky_solve(self.cross[part].unsqueeze(2), factor).squeeze(2)
        carried = lifted(items, user_size) - torch.cholesky_solve(self.mixed[part], factor)
        spread = torch.linalg.solve_triangular(shared_factor, carried.mT, upper=False)
        values = offset + carried @ beta, own + spread.mT @ spread, offset, carried, own
        return tuple(value.float() for value in values)

    def _parts(self) -> Iterator[slice]:
        size = max(1, MAX_NUMBERS // self.mixed[0].numel())
        return (slice(first, first + size) for first in range(0, len(self.mixed), size))


def lifted(items: Tensor, user_size: int) -> Tensor:
    """Y_a' `[m, P + 1, P Q + 1]` of items y_a `[m, Q]`: x' Y_a' is [x_u (x) y_a, 1 if a is in the history]."""
    count, item_size = items.shape
    matrix = items.new_zeros(count, user_size + 1, user_size * item_size + 1)
    blocks = matrix[:, :-1, :-1].unflatten(2, (user_size, item_size))
    # diagonal puts the dimension of the diagonal last
    blocks.diagonal(dim1=1, dim2=2).copy_(items.unsqueeze(2).expand(-1, -1, user_size))
    matrix[:, -1, -1] = 1.0
    return matrix
