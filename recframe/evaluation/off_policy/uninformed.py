"""Estimates that a log says nothing about: those by weights, where all weights are 0. Imports nothing, for tables and estimators."""

from __future__ import annotations

OF_MODEL = frozenset({"dm", "fitted_q"})
"""The estimators that use no weights: what a reward model, or fitted-Q evaluation, predicts."""


def says_nothing(estimator: str, effective_rows: float) -> bool:
    """Whether an estimate by `estimator` is about nothing that was logged: it uses weights, and all of them are 0."""
    return effective_rows == 0 and estimator not in OF_MODEL
