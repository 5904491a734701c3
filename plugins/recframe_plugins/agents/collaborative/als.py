"""Alternating least squares on implicit feedback, by the library implicit."""

from __future__ import annotations

from importlib.util import find_spec

import scipy.sparse as sp
import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation
from recframe_plugins.agents.collaborative.config import ALSConfig
from recframe_plugins.agents.collaborative.factors import UserItemFactors


class ALS(UserItemFactors):
    """Implicit feedback as preferences with confidences (Hu, Koren & Volinsky, 2008, equation 3).

        min sum_ui c_ui (p_ui - x_u' y_i)^2 + lambda (sum_u |x_u|^2 + sum_i |y_i|^2)

    p_ui is 1 where u took i, else 0, and c_ui = 1 + alpha r_ui. The factors of a user who is not in the log are the solution of equation 4
    for the history h, with the items' factors as they are:

        x = (Y' Y + Y' (C - I) Y + lambda I)^-1 Y' C p

    Raises
    ------
    ValueError: implicit is not installed.
    """

    def __init__(self, config: ALSConfig, spec: EnvironmentSpec, seed: int) -> None:
        super().__init__(spec, config.weights, config.decay, seed)
        if find_spec("implicit") is None:
            raise ValueError("it needs the library implicit: pip install 'recframe[implicit]'")
        self.config = config

    def factorize(self, matrix: sp.csr_matrix) -> tuple[Tensor, Tensor]:
        """By the library."""
        from implicit.cpu.als import AlternatingLeastSquares

        config = self.config
        model = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            iterations=config.iterations,
            num_threads=torch.get_num_threads(),
            random_state=self.seed % 2**32,
        )
        confidence = matrix.copy()
        confidence.data = 1.0 + config.confidence * matrix.data
        model.fit(confidence, show_progress=False)
        return torch.from_numpy(model.user_factors), torch.from_numpy(model.item_factors)

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
