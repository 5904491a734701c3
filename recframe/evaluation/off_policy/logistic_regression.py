"""Logistic regression of off-policy evaluation, by scikit-learn; one sentence in the log where it does not converge."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

MOST_ITERATIONS = 1_000


def logistic_regression(features: np.ndarray, classes: np.ndarray, penalty: float) -> Any:
    """A fitted `sklearn.linear_model.LogisticRegression` of `classes` `[n]` on `features` `[n, X]`, with the L2 penalty `penalty`."""
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]  # scikit-learn ships no types
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # what it says, that features need another scale, is about data that the user of a run does not scale
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=1 / penalty, max_iter=MOST_ITERATIONS).fit(features, classes)
    if max(model.n_iter_) >= MOST_ITERATIONS:
        log.warning(
            "a logistic regression of off-policy evaluation stopped after %d iterations; its predictions are rough", MOST_ITERATIONS
        )
    return model
