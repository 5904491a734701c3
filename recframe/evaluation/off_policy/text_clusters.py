"""Marginalised IPS for large catalogues: weights of clusters of texts in place of weights of items (Saito & Joachims, 2022)."""

from __future__ import annotations

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions, mean_of
from recframe.evaluation.off_policy.logistic_regression import logistic_regression
from recframe.interfaces.data import DataError


def clusters_of(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The cluster `[M]` int64 of each item by k-means of its text vector `[M, D]`, or of anything else with a vector.

    Where no more than `count` of the vectors are different, there are as many clusters as different vectors.
    """
    if not 1 <= count <= len(vectors):
        raise DataError(f"{len(vectors)} vectors can have 1 to {len(vectors)} clusters, not {count}")
    vectors = np.asarray(vectors, dtype=np.float64)
    different, numbers = np.unique(vectors, axis=0, return_inverse=True)
    if len(different) <= count:
        # k-means would find fewer clusters than it is asked for, and warn
        return np.asarray(numbers, dtype=np.int64).reshape(len(vectors))
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]  # scikit-learn ships no types

    return np.asarray(KMeans(count, n_init=3, random_state=seed).fit_predict(vectors), dtype=np.int64)


def cluster_probabilities(probabilities: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """p(e|x, pi) = the sum of pi(a|x) over the items a of cluster e: `[..., M]` and `[M]` to `[..., E]`."""
    members = np.zeros((len(clusters), int(clusters.max()) + 1))
    members[np.arange(len(clusters)), clusters] = 1.0
    summed: np.ndarray = probabilities @ members
    return summed


def marginalised_ips(
    rewards: np.ndarray, propensities: np.ndarray, probabilities: np.ndarray, self_normalise: bool = False
) -> Contributions:
    """`mean w(x, e) r` with `w(x, e) = p(e|x, pi) / p(e|x, mu)` of the logged item's cluster e (equation 8 of the paper).

    Unbiased if an item affects the reward only through its cluster (assumption 3.2), and only clusters need common support. Otherwise
    biased, by how much items of one cluster differ.

    Parameters
    ----------
    rewards: `[..., n]`.   propensities: `[..., n]`, p(e|x, mu), above 0.   probabilities: `[..., n]`, p(e|x, pi).
    """
    if not (np.asarray(propensities) > 0).all():
        raise DataError("the logging policy's probabilities of the logged items' clusters must be above 0")
    weights = np.asarray(probabilities, dtype=np.float64) / propensities
    return Contributions(weights * rewards, weights, weights) if self_normalise else mean_of(weights * rewards, weights)


def estimated_cluster_propensities(
    clusters: np.ndarray, contexts: np.ndarray | None, folds: np.ndarray, penalty: float = 1.0
) -> np.ndarray:
    """p(e|x, mu) of the logged items' clusters `[n]`, where the logging policy's probabilities of all items are not known.

    Multinomial logistic regression on contexts `[n, X]`, cross-fitted over `folds` `[n]`; without contexts, the clusters' shares. At least
    `1 / (n + E)`, so that no weight is infinite.
    """
    count = int(clusters.max()) + 1
    estimated = np.empty(len(clusters))
    for fold in range(int(folds.max()) + 1):
        inside = folds == fold
        outside = ~inside if folds.max() else inside
        if contexts is None or not np.shape(contexts)[1] or len(np.unique(clusters[outside])) < 2:
            shares = (np.bincount(clusters[outside], minlength=count) + 1.0 / count) / (outside.sum() + 1.0)
            estimated[inside] = shares[clusters[inside]]
            continue
        model = logistic_regression(contexts[outside], clusters[outside], penalty)
        predicted = np.zeros((int(inside.sum()), count))
        predicted[:, model.classes_] = model.predict_proba(contexts[inside])
        estimated[inside] = predicted[np.arange(len(predicted)), clusters[inside]]
    floored: np.ndarray = np.maximum(estimated, 1.0 / (len(clusters) + count))
    return floored
