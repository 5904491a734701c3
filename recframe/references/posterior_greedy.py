"""The items of highest expected reward given what the user said in this session: collaborative filtering as a reference policy.

People's responses to the M items are modelled as jointly Gaussian, with a covariance of low rank (factor analysis; Tipping & Bishop, 1999):

    x_i = m_i + a_i' z + e_i      the response to item i: a fixed combination of its signals,  e_i ~ N(0, s_i)
    r_i = n_i + b_i' z            its expected reward
    z ~ N(0, I)                   what distinguishes people, of d numbers

After the responses x_S to the items S of the history (A_S has the rows a_i, s_S is the diagonal of their noise), the expected rewards are

    n + B E[z | x_S],   E[z | x_S] = A_S' (A_S A_S' + s_S)^-1 (x_S - m_S)

which is the conditional mean of the Gaussian over items whose covariance is A A' + s and whose covariance with the rewards is B A'. The
model describes people at the start of a session; as in `greedy`, an item that is in the history gets a weight of its own. Like `greedy`,
the policy is myopic.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Observation, best_items
from recframe.references.bilinear import add_to_history


class ResponseModel(NamedTuple):
    """The Gaussian model of the module docstring. The last row of each table is of zeros, and `PAD` (-1) indexes it.

    evidence: `[F]`, the weight of each signal in the response x.
    means: m `[M + 1]`.    loadings: a `[M + 1, d]`.   noise: s `[M + 1]`, positive.
    rewards: `[M + 1, d + 1]`, the columns b and n.     repeat: scalar, added to the expected reward of an item in the history.
    """

    evidence: Tensor
    means: Tensor
    loadings: Tensor
    noise: Tensor
    rewards: Tensor
    repeat: Tensor

    def query(self, history: Tensor, feedback: Tensor) -> Tensor:
        """`[E[z | x_S], 1]` of each user, `[N, d + 1]`: its product with `rewards` is the expected reward of every item.

        history: `[N, H]` item numbers.   feedback: `[N, H, F]`.
        """
        surprise = (feedback @ self.evidence - self.means[history]) * (history >= 0)
        factors = posterior_mean(self.loadings[history], self.noise[history], surprise)
        return torch.cat([factors, factors.new_ones(len(factors), 1)], dim=1)


def posterior_mean(loadings: Tensor, noise: Tensor, surprise: Tensor) -> Tensor:
    """`E[z | x] = A' (A A' + s)^-1 (x - m)` `[N, d]` of z ~ N(0, I), for N users at once.

    It is solved with matrices of H or of d rows, whichever is smaller: `(A A' + s)`, or `(I + A' s^-1 A)` (Woodbury).

    loadings: A `[N, H, d]`.   noise: the diagonal of s `[N, H]`.   surprise: x - m `[N, H]`. A row of zeros says nothing.
    """
    length, dims = loadings.shape[1:]
    if length <= dims:
        # positive definite by construction: cholesky_ex without a check does not wait for the device
        factor = torch.linalg.cholesky_ex(loadings @ loadings.mT + noise.diag_embed()).L
        return (loadings.mT @ torch.cholesky_solve(surprise[:, :, None], factor)).squeeze(2)
    scaled = loadings.mT / noise[:, None, :]
    factor = torch.linalg.cholesky_ex(torch.eye(dims, device=noise.device, dtype=noise.dtype) + scaled @ loadings).L
    return torch.cholesky_solve(scaled @ surprise[:, :, None], factor).squeeze(2)


class PosteriorGreedyPolicy:
    """Shows the items of highest expected reward given the responses in the observed history. It does not plan.

    It reads nothing else of the session: no texts, no profile, and nothing that is no longer in the history.
    """

    def __init__(self, slate_size: int, model: ResponseModel) -> None:
        self.slate_size = slate_size
        self.model = model

    def __call__(self, observation: Observation, turn: int) -> Tensor:
        """The slates `[N, K]` of highest expected reward."""
        return best_items(observation, self.predict(observation), self.slate_size)

    def predict(self, observation: Observation) -> Tensor:
        """The expected reward of every item, `[N, M]`."""
        history = observation.history_items
        scores = self.model.query(history, observation.history_feedback) @ self.model.rewards.T
        return add_to_history(scores, history, self.model.repeat)
