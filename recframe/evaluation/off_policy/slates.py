"""Estimators of a policy's mean reward per slate from logged slates of K items.

They differ in what they assume of how a position's reward comes about, and the weaker the assumption, the larger the variance:

    standard         from the whole slate             mean prod_k rho_k sum_k r_k              Precup, Sutton & Singh (2000)
    cascade (RIPS)   from the position and those above mean sum_k (prod_{j <= k} rho_j) r_k     McInerney et al. (2020)
    independent      from the position alone          mean sum_k w_k r_k                       Li et al. (2018)
    pseudo-inverse   the slate's reward is a sum over positions, only the sum is seen          Swaminathan et al. (2017)

rho_k is the ratio of both policies' probabilities of item k given the items above, w_k that of the probabilities of item k at its position.
"""

from __future__ import annotations

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions, linearised, mean_of
from recframe.evaluation.off_policy.logs import SlateLog
from recframe.interfaces.data import DataError


def standard(log: SlateLog, self_normalise: bool = False) -> Contributions:
    """Slate-wise IPS: no assumption, and weights that grow exponentially with K."""
    weights = _conditional_ratios(log).prod(axis=-1)
    rewards = log.rewards.sum(axis=-1)
    return Contributions(weights * rewards, weights, weights) if self_normalise else mean_of(weights * rewards, weights)


def cascade(log: SlateLog, self_normalise: bool = False) -> Contributions:
    """Reward-interaction IPS: a reward depends on the items at its position and above, as when slates are read from the top.

    Self-normalised, each position has its own sum of weights.
    """
    return _by_position(np.cumprod(_conditional_ratios(log), axis=-1), log.rewards, self_normalise)


def independent(log: SlateLog, self_normalise: bool = False) -> Contributions:
    """Item-position IPS: a reward depends on the item at its position alone, whatever else is shown."""
    return _by_position(_marginal_ratios(log), log.rewards, self_normalise)


def pseudo_inverse(log: SlateLog, weights: np.ndarray, self_normalise: bool = False) -> Contributions:
    """PI: the expected reward of a slate is linear in its item-position pairs. `weights` `[..., n]` are those of a function below."""
    rewards = log.rewards.sum(axis=-1)
    return Contributions(weights * rewards, weights, weights) if self_normalise else mean_of(weights * rewards, weights)


def factored_weights(log: SlateLog) -> np.ndarray:
    """PI weights `[..., n]` if mu draws the K items independently of each other: `1 - K + sum_k w_k` (Swaminathan et al., section 3)."""
    ratios = _marginal_ratios(log)
    weights: np.ndarray = 1.0 - ratios.shape[-1] + ratios.sum(axis=-1)
    return weights


def pseudo_inverse_weights(slates: np.ndarray, pair_probabilities: np.ndarray, second_moments: np.ndarray) -> np.ndarray:
    """PI weights `[n]` for any logging policy: `q' Gamma^+ 1_s`, equation (2) of Swaminathan et al. (2017).

    slates: `[n, K]` int64, the logged items' numbers.
    pair_probabilities: q = `[n, K, M]`, pi's probability that item m is at position k.
    second_moments: Gamma = E_mu[1_s 1_s'] over the K M pairs, `[K M, K M]` for all rows, or `[n, K M, K M]`.
    """
    positions, items = pair_probabilities.shape[1:]
    pairs = np.arange(positions) * items + slates
    indicators = np.zeros((len(slates), positions * items))
    np.put_along_axis(indicators, pairs, 1.0, axis=1)
    solved = np.einsum("...ij,...j->...i", np.linalg.pinv(second_moments, hermitian=True), indicators)
    weights: np.ndarray = (pair_probabilities.reshape(len(slates), -1) * solved).sum(axis=1)
    return weights


def uniform_second_moments(items: int, positions: int) -> np.ndarray:
    """Gamma `[K M, K M]` of K of M items in random order: 1/M on the diagonal, 1/(M (M - 1)) for other items at other positions."""
    if not 1 <= positions <= items:
        raise DataError(f"slates of {positions} different items cannot be drawn from {items}")
    same_position, same_item = np.eye(positions), np.eye(items)
    other = (1.0 - same_item) / (items * max(items - 1, 1))
    moments: np.ndarray = np.kron(same_position, same_item / items) + np.kron(1.0 - same_position, other)
    return moments


def _by_position(weights: np.ndarray, rewards: np.ndarray, self_normalise: bool) -> Contributions:
    terms = linearised(weights * rewards, weights, axis=-2) if self_normalise else weights * rewards
    return mean_of(terms.sum(axis=-1), weights[..., -1])


def _conditional_ratios(log: SlateLog) -> np.ndarray:
    if log.propensities is None or log.probabilities is None:
        raise DataError("this estimator needs propensities and probabilities of each item given the items above it")
    ratios: np.ndarray = log.probabilities / log.propensities
    return ratios


def _marginal_ratios(log: SlateLog) -> np.ndarray:
    if log.marginal_propensities is None or log.marginal_probabilities is None:
        raise DataError("this estimator needs marginal_propensities and marginal_probabilities, of each item at its position")
    ratios: np.ndarray = log.marginal_probabilities / log.marginal_propensities
    return ratios
