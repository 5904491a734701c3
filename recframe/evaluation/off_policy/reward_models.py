"""Reward models by context and item, cross-fitted over people: what the direct method and doubly robust estimators predict with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from recframe.evaluation.off_policy.logistic_regression import logistic_regression
from recframe.interfaces.data import DataError

MAX_FEATURES = 4_000
"""Products of context and item features; the normal equations of more do not fit in memory well."""

ONE_HOT_ITEMS = 512
"""Up to so many items, models have a coefficient for each unless they are given features of items."""


@dataclass(frozen=True)
class DecisionRewardModel:
    """q(x, a) `= link(x' W_f a)`, with an own W for each of F folds of people: each row is predicted by a model that never saw its person.

    contexts: `[n, X]`, with a constant.   items: `[M, Z]`, with a constant.   coefficients: `[F, X, Z]`.
    folds: `[n]` int64, of each row's person.   logistic: link is the logistic function, not the identity.
    """

    contexts: np.ndarray
    items: np.ndarray
    coefficients: np.ndarray
    folds: np.ndarray
    logistic: bool = False

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """The predicted rewards of all items in the situations `rows` `[c]`, `[c, M]`."""
        states = np.einsum("cx,cxz->cz", self.contexts[rows], self.coefficients[self.folds[rows]])
        scores: np.ndarray = states @ self.items.T
        return _logistic(scores) if self.logistic else scores

    def predict_logged(self, actions: np.ndarray) -> np.ndarray:
        """The predicted reward of each row's item `actions` `[n]`, `[n]`."""
        states = np.einsum("nx,nxz->nz", self.contexts, self.coefficients[self.folds])
        scores: np.ndarray = np.einsum("nz,nz->n", states, self.items[actions])
        return _logistic(scores) if self.logistic else scores


def fit_reward_model(
    rewards: np.ndarray,
    actions: np.ndarray,
    contexts: np.ndarray | None,
    items: np.ndarray,
    folds: np.ndarray,
    kind: Literal["ridge", "logistic"] = "ridge",
    penalty: float = 1.0,
) -> DecisionRewardModel:
    """Fit rewards `[n]` by all products of context and item features, once for each fold, to the rows of the other folds.

    Parameters
    ----------
    actions: `[n]` int64, rows of `items`.
    contexts: `[n, X]`, or None: no context.   items: `[M, Z]`; one-hot rows for a coefficient of each item.
    folds: `[n]` int64 from 0, the same for all rows of a person: `folds_of`.
    kind: least squares, or logistic regression of rewards that are 0 or 1.
    penalty: lambda of `lambda / 2 |W|^2`, beside sums of half squared errors or of log losses. The constant is not penalised.

    Raises
    ------
    DataError: too many products of features, fewer than two folds, or rewards other than 0 and 1 with `logistic`.
    """
    contexts = with_constant(np.zeros((len(rewards), 0)) if contexts is None else contexts)
    items = with_constant(items)
    size = contexts.shape[1] * items.shape[1]
    if size > MAX_FEATURES:
        raise DataError(
            f"{contexts.shape[1] - 1} context and {items.shape[1] - 1} item features have {size:,} products, more than {MAX_FEATURES:,}: "
            "reduce them first, for instance to their first principal components"
        )
    count = int(folds.max()) + 1
    if count < 2:
        raise DataError("a reward model needs at least two folds of people: each is predicted by a model of the others")
    if kind == "logistic" and not np.isin(rewards, (0.0, 1.0)).all():
        raise DataError("a logistic reward model needs rewards that are 0 or 1; use ridge")
    design = (contexts[:, :, None] * items[actions][:, None, :]).reshape(len(rewards), size)
    fit = _fit_ridge if kind == "ridge" else _fit_logistic
    coefficients = np.stack([fit(design[folds != fold], rewards[folds != fold], penalty) for fold in range(count)])
    return DecisionRewardModel(contexts, items, coefficients.reshape(count, contexts.shape[1], items.shape[1]), folds, kind == "logistic")


def item_features(num_items: int) -> np.ndarray:
    """The features of items of which nothing is known: one for each item, `[M, M]`, or none above 512 items, `[M, 0]`."""
    return np.eye(num_items) if num_items <= ONE_HOT_ITEMS else np.zeros((num_items, 0))


def folds_of(people: np.ndarray, count: int = 5, seed: int = 0) -> np.ndarray:
    """The fold `[n]` int64 of each row: people are divided at random into `count` equal folds (fewer, if there are fewer people)."""
    ids, numbers = np.unique(people, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(ids)) % min(count, len(ids))
    folds: np.ndarray = drawn[numbers]
    return folds


def _fit_ridge(design: np.ndarray, rewards: np.ndarray, penalty: float) -> np.ndarray:
    """The constant is the last column: the product of both constants."""
    penalties = np.full(design.shape[1], penalty)
    penalties[-1] = 1e-9
    coefficients: np.ndarray = np.linalg.solve(design.T @ design + np.diag(penalties), design.T @ rewards)
    return coefficients


def _fit_logistic(design: np.ndarray, rewards: np.ndarray, penalty: float) -> np.ndarray:
    if rewards.min() == rewards.max():
        # all alike: the rate, half a success and half a failure added, since its logit would be infinite
        rate = (rewards.sum() + 0.5) / (len(rewards) + 1)
        return np.append(np.zeros(design.shape[1] - 1), np.log(rate / (1 - rate)))
    model = logistic_regression(design[:, :-1], rewards, penalty)
    return np.append(model.coef_[0], model.intercept_)


def with_constant(features: np.ndarray) -> np.ndarray:
    """Features `[n, X]` and a last column of ones, float64."""
    features = np.asarray(features, dtype=np.float64)
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def _logistic(scores: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(scores))
