"""What matrix factorizations of a log share: the factors of users and items, and those of users that are not in the log."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.item_agents.item_scores import QueryScores
from recframe.references.logged import LogScorer, interaction_matrix


class UserItemFactors(LogScorer):
    """Scores `x_u' y_i` of a user's and an item's factors, found together. Users are those of `Log.users`."""

    item_factors: Tensor
    user_factors: Tensor
    known: Tensor

    def __init__(self, spec: EnvironmentSpec, weights: str, decay: float, seed: int) -> None:
        super().__init__(spec, weights, decay)
        self.seed = seed
        self.register_buffer("item_factors", torch.zeros(0, 0, device=spec.device))
        self.register_buffer("user_factors", torch.zeros(0, 0, device=spec.device))
        self.register_buffer("known", torch.zeros(0, dtype=torch.bool, device=spec.device))

    @abstractmethod
    def factorize(self, matrix: sp.csr_matrix) -> tuple[Tensor, Tensor]:
        """Factors of users `[P, d]` and of items `[M, d]`, given X `[P, M]` of what counts."""

    @abstractmethod
    def fold_in(self, observation: Observation) -> Tensor:
        """Factors `[N, d]` of users, by their histories alone."""

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Factorize the matrix of users and items."""
        by_user = interaction_matrix(log, self.weights, by_user=True)
        users, items = self.factorize(by_user)
        device = self.spec.device
        self.user_factors, self.item_factors = users.to(device), items.to(device)
        self.known = torch.from_numpy(np.diff(by_user.indptr) > 0).to(device)

    def evidence(self, observation: Observation) -> QueryScores:
        """The products of factors."""
        history = observation.history_items
        return QueryScores(self.query(observation), torch.zeros(len(history), device=history.device), history, self.item_factors)

    def query(self, observation: Observation) -> Tensor:
        """Factors `[N, d]`: those of the log for the users in it, and else from the history."""
        factors = self.fold_in(observation)
        if not self.spec.has_users:
            return factors
        user = observation.user
        inside = user < len(self.known)
        rows = torch.where(inside, user, 0)
        return torch.where((inside & self.known[rows]).unsqueeze(1), self.user_factors[rows], factors)
