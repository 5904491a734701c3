"""Fitted-Q evaluation: the evaluated policy's returns by repeated ridge regression (Le, Voloshin & Yue, 2019), linear in features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recframe.evaluation.off_policy.logs import TrajectoryLog
from recframe.evaluation.statistics import CHUNK_ELEMENTS
from recframe.interfaces.data import DataError


class FittedReturns(NamedTuple):
    """Predicted returns of the evaluated policy, `[n, T]` each: Q(s_t, a_t) and V(s_t) = sum_a pi(a|s_t) Q(s_t, a)."""

    predicted: np.ndarray
    expected: np.ndarray


def fitted_q_coefficients(
    log: TrajectoryLog,
    features: np.ndarray,
    expected_features: np.ndarray,
    weights: np.ndarray | None = None,
    ridge: float = 1e-3,
    iterations: int | None = None,
) -> np.ndarray:
    """theta of `Q(s, a) = phi(s, a)' theta`, `[r, F]`: from 0, `theta <- (Phi'Phi + ridge I)^-1 Phi' (r + gamma V(s'))`, repeated.

    Parameters
    ----------
    log: n sessions, without leading axes.
    features: phi(s_t, a_t), `[n, T, F]`, of the logged actions. One-hot features of states and actions make it tabular.
    expected_features: sum_a pi(a|s_t) phi(s_t, a), `[n, T, F]`. V is linear in them, so no sum over actions is needed here.
    weights: `[r, n]`, how often each session counts in each of r fits; None: once, r = 1.
    ridge: the penalty on theta, in the units of Phi'Phi.
    iterations: how often the regression is repeated; None: 4 T. T are enough where features tell every state apart; where they do not,
        the coefficients need longer to settle.
    """
    shape = (*log.inside.shape, np.shape(features)[-1])
    for name, values in (("features", features), ("expected_features", expected_features)):
        if values.shape != shape:
            raise DataError(f"{name} must be [n, T, F] = {list(shape)}, not {list(values.shape)}")
    counts = np.ones((1, shape[0])) if weights is None else weights
    taken = np.where(log.inside[..., None], features, 0.0)
    following = np.zeros(shape)
    following[:, :-1] = np.where(log.inside[:, 1:, None], expected_features[:, 1:], 0.0)
    penalty = ridge * np.eye(shape[2])
    gram, onward, rewarded = (_products(counts, taken, side) for side in (taken, following, log.rewards[..., None]))
    inverse = np.linalg.inv(gram + penalty)
    first, following_share = inverse @ rewarded, log.discount * inverse @ onward
    coefficients: np.ndarray = np.zeros_like(first)
    for _ in range(4 * shape[1] if iterations is None else iterations):
        coefficients = first + following_share @ coefficients
    theta: np.ndarray = coefficients[..., 0]
    return theta


def fitted_returns(
    log: TrajectoryLog, features: np.ndarray, expected_features: np.ndarray, folds: np.ndarray | None = None, ridge: float = 1e-3
) -> FittedReturns:
    """Predicted returns of all logged steps, each from the sessions of the other folds.

    folds: `[n]` int64, the fold of each session's person (`reward_models.folds_of`): a model that saw a session's own rewards would make
        DR biased. None: one fit to all sessions.
    """
    if folds is None:
        theta = fitted_q_coefficients(log, features, expected_features, ridge=ridge)[np.zeros(len(log.lengths), dtype=np.int64)]
    else:
        others = (folds != np.arange(folds.max() + 1)[:, None]).astype(np.float64)
        theta = fitted_q_coefficients(log, features, expected_features, others, ridge)[folds]
    return FittedReturns(*(np.where(log.inside, np.einsum("ntf,nf->nt", side, theta), 0.0) for side in (features, expected_features)))


def fitted_q_values(
    log: TrajectoryLog, features: np.ndarray, expected_features: np.ndarray, weights: np.ndarray, ridge: float = 1e-3
) -> np.ndarray:
    """The direct method's estimates `[r]`, mean V(s_0), fitted anew to each resample of sessions `[r, n]`."""
    theta = fitted_q_coefficients(log, features, expected_features, weights, ridge)
    values: np.ndarray = (weights * (theta @ expected_features[:, 0].T)).sum(axis=1) / weights.sum(axis=1)
    return values


def _products(counts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`sum_n counts_rn sum_t left_ntf right_ntg`, `[r, F, G]`, in chunks of sessions: a resample only adds up what sessions have."""
    total = np.zeros((len(counts), left.shape[2], right.shape[2]))
    rows = max(1, CHUNK_ELEMENTS // (left.shape[2] * right.shape[2]))
    for start in range(0, len(left), rows):
        chunk = slice(start, start + rows)
        total += np.tensordot(counts[:, chunk], left[chunk].transpose(0, 2, 1) @ right[chunk], axes=1)
    return total
