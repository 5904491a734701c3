"""Matrix factorization by Bayesian personalized ranking, BPR-MF (Rendle et al., "BPR: Bayesian personalized ranking", UAI 2009)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import EnvironmentSpec, Observation
from recframe_plugins.agents.collaborative.config import BPRConfig
from recframe_plugins.agents.collaborative.factors import UserItemFactors

INITIAL_STD = 0.01
"""Standard deviation of the factors before training."""


class BPR(UserItemFactors):
    """Factors by which the items of each user score above others, by stochastic gradients (Rendle et al., 2009, section 4.3.1).

        max sum_(u,i,j) r_ui ln sigmoid(x_u' y_i - x_u' y_j) - lambda/2 (|x_u|^2 + |y_i|^2 + |y_j|^2)

    Each epoch goes through all (u, i) that count in random order, and draws for each a j uniformly from the items that u did not take.
    r_ui is 1, or the signal that weights the interactions. There are no biases, and Adam makes the steps, as is common today.

    Nothing is known of users who are not in the log: they get the popular items.
    """

    def __init__(self, config: BPRConfig, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__(spec, config.weights, 1.0, seed)
        self.config = config

    @torch.enable_grad()
    def factorize(self, matrix: sp.csr_matrix) -> tuple[Tensor, Tensor]:
        """By gradient steps on batches of pairs."""
        config, device = self.config, self.spec.device
        generator = torch.Generator(device).manual_seed(self.seed)
        users, items = (initial_factors(count, config.factors, generator) for count in matrix.shape)
        # a step changes the factors of a batch's users and items only, and costs no more in a large log
        optimizer = torch.optim.SparseAdam([users, items], lr=config.learning_rate)
        pairs = LoggedPairs(matrix, device)
        for _ in range(config.epochs):
            for chosen in torch.randperm(len(pairs), generator=generator, device=device).split(config.batch_size):
                user, item, value = pairs.users[chosen], pairs.items[chosen], pairs.values[chosen]
                x_u = F.embedding(user, users, sparse=True)
                y_i, y_j = F.embedding(torch.stack([item, pairs.others(user, generator)]), items, sparse=True)
                optimizer.zero_grad()
                bpr_loss(x_u, y_i, y_j, value, config.regularization).backward()
                optimizer.step()
        return users.detach(), items.detach()

    def fold_in(self, observation: Observation) -> Tensor:
        """Zeros: all items score 0, so that their popularity decides."""
        return torch.zeros(len(observation.user), self.item_factors.shape[1], device=self.item_factors.device)


def initial_factors(count: int, dims: int, generator: torch.Generator) -> nn.Parameter:
    """Small random factors `[count, dims]`."""
    return nn.Parameter(INITIAL_STD * torch.randn(count, dims, generator=generator, device=generator.device))


def bpr_loss(x_u: Tensor, y_i: Tensor, y_j: Tensor, value: Tensor, regularization: float) -> Tensor:
    """The negative of BPR's criterion, as the mean over N triples, of their factors `[N, d]` and the values r `[N]` of (u, i)."""
    squares = x_u.square().sum(dim=1) + y_i.square().sum(dim=1) + y_j.square().sum(dim=1)
    preference = (x_u * (y_i - y_j)).sum(dim=1)
    return (regularization / 2 * squares - value * F.logsigmoid(preference)).mean()


class LoggedPairs:
    """The pairs of a user and an item that count, and draws of items that the user did not take.

    Users who took every item are left out: there is nothing that these items could be preferred to.

    matrix: X `[P, M]`, with the columns of each row in increasing order.
    users, items: of the n pairs, `[n]` int64.   values: r `[n]`.
    """

    def __init__(self, matrix: sp.csr_matrix, device: torch.device) -> None:
        num_users, self.num_items = matrix.shape
        taken = np.diff(matrix.indptr)
        rows, columns = np.repeat(np.arange(num_users), taken), matrix.indices.astype(np.int64)
        # the number of items before each taken one that the user did not take; increasing in the order of the pairs
        places = np.arange(len(rows)) - matrix.indptr[rows]
        self._free_before = torch.from_numpy(rows * self.num_items + columns - places).to(device)
        self._first = torch.from_numpy(matrix.indptr[:-1].astype(np.int64)).to(device)
        self._free = torch.from_numpy(self.num_items - taken.astype(np.int64)).to(device)
        some = taken[rows] < self.num_items
        self.users, self.items, self.values = (torch.from_numpy(column[some]).to(device) for column in (rows, columns, matrix.data))

    def __len__(self) -> int:
        return len(self.users)

    def others(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """An item `[N]` that each of the `users` `[N]` did not take, all of them equally likely."""
        free = self._free[users]
        number = (torch.rand(len(users), generator=generator, device=users.device, dtype=torch.float64) * free).long().clamp(max=free - 1)
        # the item with that number among those not taken comes after all taken ones that have no more of them before
        before = torch.searchsorted(self._free_before, users * self.num_items + number, right=True) - self._first[users]
        return number + before
