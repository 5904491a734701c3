"""Matrix factorizations of a log by the library implicit: alternating least squares, and Bayesian personalized ranking."""

from __future__ import annotations

from abc import abstractmethod
from importlib.util import find_spec

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.item_agents.item_scores import QueryScores
from recframe.references.logged import LogScorer, interaction_matrix
from recframe_plugins.agents.collaborative.config import ALSConfig, BPRConfig


class UserItemFactors(LogScorer):
    """Scores `x_u' y_i` of a user's and an item's factors, found together. Users are those of `Log.users`.

    Raises
    ------
    ValueError: implicit is not installed.
    """

    item_factors: Tensor
    user_factors: Tensor
    known: Tensor

    def __init__(self, spec: EnvironmentSpec, weights: str, decay: float, seed: int) -> None:
        super().__init__(spec, weights, decay)
        if find_spec("implicit") is None:
            raise ValueError("it needs the library implicit: pip install 'recframe[implicit]'")
        self.seed = seed % 2**32
        self.register_buffer("item_factors", torch.zeros(0, 0, device=spec.device))
        self.register_buffer("user_factors", torch.zeros(0, 0, device=spec.device))
        self.register_buffer("known", torch.zeros(0, dtype=torch.bool, device=spec.device))

    @abstractmethod
    def factorize(self, matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Factors of users `[P, d]` and of items `[M, d]`, given X `[P, M]`."""

    @abstractmethod
    def fold_in(self, observation: Observation) -> Tensor:
        """Factors `[N, d]` of users, by their histories alone."""

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Factorize the matrix of users and items."""
        by_user = interaction_matrix(log, self.weights, by_user=True)
        users, items = self.factorize(by_user)
        device = self.spec.device
        self.user_factors, self.item_factors = torch.from_numpy(users).to(device), torch.from_numpy(items).to(device)
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


class ALS(UserItemFactors):
    """Implicit feedback as preferences with confidences (Hu, Koren & Volinsky, 2008, equation 3).

        min sum_ui c_ui (p_ui - x_u' y_i)^2 + lambda (sum_u |x_u|^2 + sum_i |y_i|^2)

    p_ui is 1 where u took i, else 0, and c_ui = 1 + alpha r_ui. The factors of a user who is not in the log are the solution of equation 4
    for the history h, with the items' factors as they are:

        x = (Y' Y + Y' (C - I) Y + lambda I)^-1 Y' C p
    """

    def __init__(self, config: ALSConfig, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__(spec, config.weights, config.decay, seed)
        self.config = config

    def factorize(self, matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """By the library."""
        from implicit.cpu.als import AlternatingLeastSquares

        config = self.config
        model = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            iterations=config.iterations,
            num_threads=torch.get_num_threads(),
            random_state=self.seed,
        )
        confidence = matrix.copy()
        confidence.data = 1.0 + config.confidence * matrix.data
        model.fit(confidence, show_progress=False)
        return model.user_factors, model.item_factors

    def query(self, observation: Observation) -> Tensor:
        """The factors of the log or of the history, as `fold_in` says."""
        return self.fold_in(observation) if self.config.fold_in == "all" else super().query(observation)

    def fold_in(self, observation: Observation) -> Tensor:
        """The solution of equation 4."""
        items, values = observation.history_items, self.history_weights(observation)
        return folded_in(self.item_factors, items, values, self.config.confidence, self.config.regularization)


def folded_in(item_factors: Tensor, items: Tensor, values: Tensor, confidence: float, regularization: float) -> Tensor:
    """x `[N, d]` of equation 4 of Hu et al. (2008), for histories of `items` `[N, H]` with `values` r `[N, H]`, 0 where nothing counts."""
    dims = item_factors.shape[1]
    factors = item_factors[items] * (values > 0).unsqueeze(2)
    everything = item_factors.T @ item_factors + regularization * torch.eye(dims, device=item_factors.device)
    left = everything + (factors.mT * (confidence * values).unsqueeze(1)) @ factors
    right = torch.einsum("nh,nhd->nd", 1.0 + confidence * values, factors)
    solution: Tensor = torch.linalg.solve(left, right)
    return solution


class BPR(UserItemFactors):
    """Factors by which each user's items score above others (Rendle et al., 2009), with a bias of each item.

        max sum_(u,i,j) ln sigmoid(x_u' y_i + b_i - x_u' y_j - b_j) - lambda |factors|^2     over items i of u and random items j

    It has no closed form for users who are not in the log: they get the items by their biases.
    """

    def __init__(self, config: BPRConfig, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__(spec, config.weights, 1.0, seed)
        self.config = config

    def factorize(self, matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """By the library, in one thread: with several, its updates are in no fixed order."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        config = self.config
        model = BayesianPersonalizedRanking(
            factors=config.factors,
            learning_rate=config.learning_rate,
            regularization=config.regularization,
            iterations=config.iterations,
            num_threads=1,
            random_state=self.seed,
        )
        model.fit(matrix, show_progress=False)
        return model.user_factors, model.item_factors

    def fold_in(self, observation: Observation) -> Tensor:
        """The library's last factor is the bias: 1 for every user."""
        unknown = torch.zeros(len(observation.user), self.item_factors.shape[1], device=self.item_factors.device)
        unknown[:, -1] = 1.0
        return unknown
