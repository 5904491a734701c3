"""Estimators of a policy's mean reward from decisions that showed one item each (contextual bandits).

With weights w = pi(a|x) / mu(a|x), a reward model q, and q_pi(x) = sum_a pi(a|x) q(x, a):

    direct method      mean q_pi                              Beygelzimer & Langford (2009)
    IPS                mean w r                               Horvitz & Thompson (1952)
    clipped IPS        mean min(w, c) r                       Ionides (2008)
    self-normalised    sum w r / sum w                        Swaminathan & Joachims (2015)
    DR                 mean q_pi + w (r - q)                  Dudik, Langford & Li (2011)
    self-normalised DR mean q_pi + sum w (r - q) / sum w      Robins et al. (2007)
    switch-DR          mean q_pi + 1[w <= c] w (r - q)        Wang, Agarwal & Dudik (2017)
"""

from __future__ import annotations

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions, linearised, mean_of
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.interfaces.data import DataError


def direct_method(log: SingleItemLog) -> Contributions:
    """The mean predicted reward: no variance from weights, and all the error of the reward model."""
    return mean_of(_model(log)[1])


def inverse_propensity(log: SingleItemLog, clip: float = np.inf) -> Contributions:
    """IPS, unbiased wherever mu > 0 if pi > 0. With a finite `clip`, weights above it are set to it: less variance, and a bias."""
    weights = np.minimum(log.weights, clip)
    return mean_of(weights * log.rewards, weights)


def self_normalised(log: SingleItemLog) -> Contributions:
    """Self-normalised IPS: biased by O(1 / n), never outside the range of the rewards, and moved by c if c is added to every reward."""
    return Contributions(log.weights * log.rewards, log.weights, log.weights)


def doubly_robust(log: SingleItemLog) -> Contributions:
    """DR: unbiased if the propensities are right, whatever the model; its variance comes from the model's errors only."""
    return switch_doubly_robust(log, np.inf)


def self_normalised_doubly_robust(log: SingleItemLog) -> Contributions:
    """DR with the correction self-normalised. A mean plus a ratio: the contributions are linearised."""
    predicted, expected = _model(log)
    return mean_of(expected + linearised(log.weights * (log.rewards - predicted), log.weights), log.weights)


def switch_doubly_robust(log: SingleItemLog, threshold: float) -> Contributions:
    """DR where the weight is at most `threshold`, the direct method elsewhere: DR at infinity, the direct method at 0."""
    predicted, expected = _model(log)
    weights = np.where(log.weights <= threshold, log.weights, 0.0)
    return mean_of(expected + weights * (log.rewards - predicted), weights)


def _model(log: SingleItemLog) -> tuple[np.ndarray, np.ndarray]:
    if log.predicted is None or log.expected is None:
        raise DataError("this estimator needs a reward model: give the log predicted and expected rewards")
    return log.predicted, log.expected
