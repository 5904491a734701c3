"""Bayesian factor analysis of incomplete responses: what people said to some of the items, in closed-form updates.

    x_pi = a_i' z_p + e      z_p ~ N(0, I),   a_i ~ N(0, diag(t)),   e ~ N(0, s)

Variational Bayes for principal components with missing values (Bishop, 1999; Ilin & Raiko, 2010, JMLR 11): the distributions of the
factors z and the loadings a are updated in turn, and the prior variances t `[d]` and the noise s are those of the highest bound on the
marginal likelihood. A factor that the data do not support gets t near 0, so neither d nor the shrinkage needs to be chosen.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

MAX_CELLS = 2**23
"""Cells up to which a table of people and items is held in full; a larger one is sparse."""

ITERATIONS = 30

SMALLEST = 1e-8


class Factors(NamedTuple):
    """The distributions of the loadings of M items and the factors of P people.

    loadings: their means `[M, d]`.    uncertainty: their covariances `[M, d, d]`.
    people: the factors' means `[P, d]`.   moments: their second moments E[z z'] `[P, d, d]`.
    prior: t `[d]`.    noise: s, a scalar.
    """

    loadings: Tensor
    uncertainty: Tensor
    people: Tensor
    moments: Tensor
    prior: Tensor
    noise: Tensor


class ResponseTable:
    """Sums `[P, M]` of what people said to items, with the products that the updates need, sparse above `MAX_CELLS`.

    people, items: `[n]` int64 each.   values: `[n]`.
    """

    def __init__(self, people: Tensor, items: Tensor, values: Tensor, num_people: int, num_items: int) -> None:
        if num_people * num_items <= MAX_CELLS:
            self.by_person = values.new_zeros(num_people, num_items).index_put_((people, items), values, accumulate=True)
            self.by_item = self.by_person.T
        else:
            places = torch.stack([people, items])
            table = torch.sparse_coo_tensor(places, values, (num_people, num_items), check_invariants=False).coalesce()
            self.by_person, self.by_item = table, table.T.coalesce()

    def over_items(self, values: Tensor) -> Tensor:
        """Sums over each person's items of `values` `[M, ...]`, `[P, ...]`."""
        return _product(self.by_person, values)

    def over_people(self, values: Tensor) -> Tensor:
        """Sums over each item's people of `values` `[P, ...]`, `[M, ...]`."""
        return _product(self.by_item, values)


def fit_factors(counts: ResponseTable, sums: ResponseTable, squares: Tensor, num_responses: int, start: Tensor) -> Factors:
    """The posterior of loadings and factors.

    Parameters
    ----------
    counts: how often each person responded to each item.   sums: the sums of these responses, centred for each item.
    squares: the sum of the squared responses, a scalar.   num_responses: their number n.
    start: the loadings `[M, d]` to start from, random ones: equal loadings stay equal.
    """
    dims = start.shape[1]
    variance = (squares / num_responses).clamp(min=SMALLEST)
    # it starts with little noise: from much noise, it takes what few people said to be nothing but noise
    noise, prior = 0.2 * variance, variance.expand(dims)
    loadings = start * prior.sqrt()
    uncertainty = start.new_zeros(len(start), dims, dims)
    people, moments = loadings[:0], uncertainty[:0]
    for _ in range(ITERATIONS):
        precision = counts.over_items(_outer(loadings) + uncertainty) / noise + torch.eye(dims, device=start.device)
        covariance, people = _solve(precision, sums.over_items(loadings) / noise)
        moments = _outer(people) + covariance
        # people keep their distribution N(0, I), to which new people are compared: the loadings take the scale (parameter expansion)
        whitening = torch.linalg.inv(torch.linalg.cholesky(moments.mean(dim=0)))
        people, moments = people @ whitening.T, whitening @ moments @ whitening.T
        precision = counts.over_people(moments) / noise + (1 / prior).diag()
        uncertainty, loadings = _solve(precision, sums.over_people(people) / noise)
        squared = _outer(loadings) + uncertainty
        prior = squared.diagonal(dim1=1, dim2=2).mean(dim=0).clamp(min=SMALLEST * variance)
        explained = (people * sums.over_items(loadings)).sum()
        noise = (squares - 2 * explained + (moments * counts.over_items(squared)).sum()) / num_responses
        noise = noise.clamp(min=1e-4 * variance)
    return Factors(loadings, uncertainty, people, moments, prior, noise)


def loadings_of(factors: Factors, counts: ResponseTable, sums: ResponseTable) -> Tensor:
    """The posterior mean `[M, d]` of the loadings of another response of the same people, given their factors."""
    precision = counts.over_people(factors.moments) / factors.noise + (1 / factors.prior).diag()
    return _solve(precision, sums.over_people(factors.people) / factors.noise)[1]


def _product(table: Tensor, values: Tensor) -> Tensor:
    product: Tensor = table @ values.flatten(start_dim=1)
    return product.view(-1, *values.shape[1:])


def _outer(rows: Tensor) -> Tensor:
    return rows[:, :, None] * rows[:, None, :]


def _solve(precision: Tensor, linear: Tensor) -> tuple[Tensor, Tensor]:
    """The covariance `[n, d, d]` and mean `[n, d]` of Gaussians with this precision `[n, d, d]` and precision times mean `[n, d]`."""
    factor = torch.linalg.cholesky_ex(precision).L
    return torch.cholesky_inverse(factor), torch.cholesky_solve(linear[:, :, None], factor).squeeze(2)
