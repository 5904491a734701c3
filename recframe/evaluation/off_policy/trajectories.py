"""Estimators of a policy's expected return per session from logged sessions.

With rho_t = pi(a_t|s_t) / mu(a_t|s_t), w_t = rho_0 ... rho_t, w_{-1} = 1 and n sessions:

    trajectory-wise IS    mean w_{T-1} sum_t gamma^t r_t                            Precup, Sutton & Singh (2000)
    per-decision IS       mean sum_t gamma^t w_t r_t                                the same
    DR                    mean sum_t gamma^t (w_t (r_t - Q_t) + w_{t-1} V_t)        Jiang & Li (2016)

Weighted (self-normalised) versions divide w_t by its mean over the sessions at each t: Thomas & Brunskill (2016), for DR their WDR.
A session that has ended keeps its last weight, so that the mean at every t is over all sessions.
"""

from __future__ import annotations

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions, linearised, mean_of
from recframe.evaluation.off_policy.logs import TrajectoryLog
from recframe.interfaces.data import DataError


def trajectory_wise(log: TrajectoryLog, weighted: bool = False) -> Contributions:
    """The whole session's weight for its return: unbiased, and of a variance that grows exponentially with its length."""
    weights = log.ratios.prod(axis=-1)
    returns = (log.discounts * log.rewards).sum(axis=-1)
    return Contributions(weights * returns, weights, weights) if weighted else mean_of(weights * returns, weights)


def per_decision(log: TrajectoryLog, weighted: bool = False) -> Contributions:
    """Each reward has the weight of the decisions up to it: later ones cannot change it."""
    weights = np.cumprod(log.ratios, axis=-1)
    terms = linearised(weights * log.rewards, weights, axis=-2) if weighted else weights * log.rewards
    return mean_of((log.discounts * terms).sum(axis=-1), weights[..., -1])


def doubly_robust(log: TrajectoryLog, weighted: bool = False) -> Contributions:
    """Per-decision IS with the predicted returns as control variates: unbiased whatever the model, if it was fitted to other people."""
    predicted, expected = model_of(log)
    weights = np.cumprod(log.ratios, axis=-1)
    before = np.concatenate([np.ones_like(weights[..., :1]), weights[..., :-1]], axis=-1)
    corrections, values = weights * (log.rewards - predicted), before * expected
    if weighted:
        corrections, values = linearised(corrections, weights, axis=-2), linearised(values, before, axis=-2)
    return mean_of((log.discounts * (corrections + values)).sum(axis=-1), weights[..., -1])


def direct_method(log: TrajectoryLog) -> Contributions:
    """The mean predicted return V(s_0) of the first states, as fitted-Q evaluation gives it."""
    return mean_of(model_of(log)[1][..., 0])


def model_of(log: TrajectoryLog) -> tuple[np.ndarray, np.ndarray]:
    """The predicted returns `Q(s_t, a_t)` and `V(s_t)`, `[..., n, T]` each.

    Raises
    ------
    DataError: the log has none.
    """
    if log.predicted is None or log.expected is None:
        raise DataError("this estimator needs a model of returns: give the log predicted and expected returns")
    return log.predicted, log.expected
