"""Probabilities of the policies that can be evaluated from logs, from their scores or rankings. Rows are decisions, columns items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recframe.interfaces.data import DataError

ActionProbabilities = Callable[[np.ndarray], np.ndarray]
"""A policy as off-policy evaluation reads it: from the numbers of logged situations, `[c]` int64, to its probabilities of all M items
there, `[c, M]`. It is asked in chunks of rows, so that no array of all decisions and all items exists."""

ItemScores = Callable[[np.ndarray], np.ndarray]
"""From `[c]` numbers of logged situations to scores of all items, `[c, M]`; -inf for an item that may not be shown."""

ItemRanking = Callable[[np.ndarray], np.ndarray]
"""From `[c]` numbers of logged situations to the items, best first, `[c, K]` int64, filled up with -1 at the end."""


def softmax(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities `[..., M]` proportional to `exp(score / temperature)`. An item with the score -inf is never shown."""
    if not temperature > 0:
        raise DataError(f"the temperature must be above 0, not {temperature:g}")
    scores = np.asarray(scores, dtype=np.float64)
    highest = scores.max(axis=-1, keepdims=True)
    if not np.isfinite(highest).all():
        raise DataError("scores: a row has no item with a finite score, so nothing can be shown there")
    exponentials = np.exp((scores - highest) / temperature)
    probabilities: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def epsilon_greedy_probabilities(scores: np.ndarray, epsilon: float = 0.0) -> np.ndarray:
    """Probabilities `[..., M]`: the item with the highest score (the first of equal ones), and with `epsilon` any that may be shown."""
    scores = np.asarray(scores, dtype=np.float64)
    allowed = scores > -np.inf
    if not allowed.any(axis=-1).all() or np.isnan(scores).any():
        raise DataError("scores: a row has no item with a score above -inf, or one that is not a number")
    return _greedy(scores.argmax(axis=-1), allowed, epsilon)


def epsilon_greedy_of_ranking(ranking: np.ndarray, num_items: int, epsilon: float = 0.0) -> np.ndarray:
    """Probabilities `[c, M]` of showing the first item of a ranking `[c, K]`, and with `epsilon` any of the M items."""
    first = np.asarray(ranking)[:, 0]
    wrong = (first < 0) | (first >= num_items)
    if wrong.any():
        raise DataError(f"rankings: items are numbers from 0 to {num_items - 1}, and the first of a ranking is {first[wrong][0]}")
    return _greedy(first, np.ones((len(first), num_items), dtype=bool), epsilon)


def softmax_policy(scores: ItemScores, temperature: float = 1.0) -> ActionProbabilities:
    """The policy that draws an item by `softmax` of its scores."""
    return lambda rows: softmax(scores(rows), temperature)


def epsilon_greedy_policy(scores: ItemScores, epsilon: float = 0.0) -> ActionProbabilities:
    """The policy that shows the item with the highest score, and with `epsilon` any. 0 is what a trained agent does when deployed."""
    return lambda rows: epsilon_greedy_probabilities(scores(rows), epsilon)


def ranking_policy(ranking: ItemRanking, num_items: int, epsilon: float = 0.0) -> ActionProbabilities:
    """The policy that shows the first item of its ranking, and with `epsilon` any."""
    return lambda rows: epsilon_greedy_of_ranking(ranking(rows), num_items, epsilon)


def fixed_policy(probabilities: np.ndarray) -> ActionProbabilities:
    """The policy that has the same probabilities `[M]` in every situation, or those of each row, `[n, M]`."""
    table = np.asarray(probabilities, dtype=np.float64)
    return lambda rows: np.broadcast_to(table, (len(rows), len(table))) if table.ndim == 1 else table[rows]


def plackett_luce(scores: np.ndarray, slates: np.ndarray) -> np.ndarray:
    """Probabilities `[n, K]` of each logged item given those above it, where items are drawn without replacement by softmax of scores.

    `exp(s_k) / sum of exp over the items not above k` (Plackett, 1975): what `SlateLog.probabilities` needs of a softmax policy.

    scores: `[n, M]`, already divided by a temperature.   slates: `[n, K]` int64, different items.
    """
    exponentials = softmax(scores)
    shown = np.take_along_axis(exponentials, slates, axis=1)
    above = np.concatenate([np.zeros((len(shown), 1)), np.cumsum(shown, axis=1)[:, :-1]], axis=1)
    left = np.maximum(1.0 - above, shown)
    probabilities: np.ndarray = np.divide(shown, left, out=np.zeros_like(shown), where=left > 0)
    return probabilities


def _greedy(best: np.ndarray, allowed: np.ndarray, epsilon: float) -> np.ndarray:
    if not 0 <= epsilon <= 1:
        raise DataError(f"epsilon must be between 0 and 1, not {epsilon:g}")
    probabilities: np.ndarray = epsilon * allowed / allowed.sum(axis=-1, keepdims=True)
    places = best[..., None]
    np.put_along_axis(probabilities, places, np.take_along_axis(probabilities, places, axis=-1) + 1.0 - epsilon, axis=-1)
    return probabilities
