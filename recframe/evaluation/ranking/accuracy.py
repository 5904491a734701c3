"""Metrics of the accuracy of top-k lists, for each query, from the ranks of its relevant items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recframe.metric_names import metric_at


def accuracy(ranks: np.ndarray, queries: np.ndarray, num_queries: int, ks: Sequence[int]) -> dict[str, np.ndarray]:
    """The metrics `[Q]` of each query at each k, by name (`ndcg@10`).

    With T relevant items, h of them among the first k places, and relevance 0 or 1:

    - `hit_rate`: 1 if h > 0.   `precision`: h / k, also of a list that is shorter.   `recall`: h / T.
    - `f1`: the harmonic mean of precision and recall, 2 h / (k + T).
    - `ndcg`: the sum of 1 / log2(1 + rank) of the relevant items among the first k, divided by that of a list with min(k, T) relevant
      items in front (Järvelin & Kekäläinen, 2002).
    - `mrr`: 1 / rank of the first relevant item, 0 if it is not among the first k (Voorhees, 1999).
    - `map`: the sum of the precision at the rank of each relevant item among the first k, divided by min(k, T) (Manning et al., 2008,
      section 8.4, cut at k).

    Parameters
    ----------
    ranks: `[T]` the place of each relevant item in its query's list, from 1; 0: it is not in it.
    queries: `[T]` the query of each, 0 to Q - 1; every query has one relevant item or more.
    """
    relevant = np.bincount(queries, minlength=num_queries)
    discounts = 1.0 / np.log2(1.0 + np.arange(1, max(ks) + 1))
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    order = np.lexsort((ranks, queries))
    order = order[ranks[order] > 0]
    rank, query = ranks[order], queries[order]
    # how many relevant items of the query stand at this rank or before it
    first = np.concatenate([[True], query[1:] != query[:-1]])[: len(query)]
    places = np.arange(len(query))
    hits_so_far = places - np.maximum.accumulate(np.where(first, places, 0)) + 1
    columns: dict[str, np.ndarray] = {}
    for k in ks:
        inside = rank <= k

        def total(values: np.ndarray, inside: np.ndarray = inside) -> np.ndarray:
            """The sum `[Q]` of the values of each query's relevant items among the first k."""
            sums: np.ndarray = np.bincount(query[inside], weights=values[inside], minlength=num_queries)
            return sums

        hits, best = total(np.ones(len(rank))), np.minimum(k, relevant)
        columns |= {
            metric_at("hit_rate", k): (hits > 0).astype(np.float64),
            metric_at("ndcg", k): total(discounts[np.minimum(rank, max(ks)) - 1]) / ideal[best],
            metric_at("precision", k): hits / k,
            metric_at("recall", k): hits / relevant,
            metric_at("f1", k): 2.0 * hits / (k + relevant),
            metric_at("mrr", k): total(first / rank),
            metric_at("map", k): total(hits_so_far / rank) / best,
        }
    return columns
