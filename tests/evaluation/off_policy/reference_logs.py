"""Logs that recframe and other libraries estimate from in comparisons. Imports numpy only, so that every environment can read it."""

from __future__ import annotations

import numpy as np

DISCOUNT = 0.9


def bandit(seed: int = 0, rows: int = 400, items: int = 6) -> dict[str, np.ndarray]:
    """One item a row, with both policies' probabilities `[n, M]` and predicted rewards `[n, M]` of every item."""
    generator = np.random.default_rng(seed)
    logging, evaluated = (_softmax(generator.normal(size=(rows, items)) * scale) for scale in (0.7, 1.5))
    actions = _drawn(logging, generator)
    truth = generator.random((rows, items))
    return {
        "actions": actions,
        "rewards": (generator.random(rows) < truth[np.arange(rows), actions]).astype(np.float64),
        "propensities": logging[np.arange(rows), actions],
        "evaluated": evaluated,
        "predicted": np.clip(truth + 0.2 * generator.normal(size=truth.shape), 0, 1),
    }


def slates(seed: int = 1, rows: int = 300, positions: int = 3) -> dict[str, np.ndarray]:
    """Slates with conditional and marginal probabilities `[n, K]` of the logged items under both policies."""
    generator = np.random.default_rng(seed)
    names = ("propensities", "probabilities", "marginal_propensities", "marginal_probabilities")
    log = {name: generator.uniform(0.1, 0.9, (rows, positions)) for name in names}
    return {**log, "rewards": generator.integers(0, 2, (rows, positions)).astype(np.float64)}


def sessions(seed: int = 2, count: int = 200, steps: int = 5, items: int = 4) -> dict[str, np.ndarray]:
    """Sessions of equal length, with both policies' probabilities and predicted returns `[n, T, M]`, and ratios of visits `[n, T]`."""
    generator = np.random.default_rng(seed)
    logging, evaluated = (_softmax(generator.normal(size=(count * steps, items)) * scale) for scale in (0.5, 1.0))
    actions = _drawn(logging, generator)
    shape = (count, steps)
    return {
        "actions": actions.reshape(shape),
        "rewards": generator.random(shape),
        "propensities": logging[np.arange(count * steps), actions].reshape(shape),
        "evaluated": evaluated.reshape(*shape, items),
        "predicted": generator.uniform(0, 3, (*shape, items)),
        "visits": generator.uniform(0.5, 1.5, shape),
    }


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _drawn(probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    chosen = (probabilities.cumsum(axis=1) < generator.random((len(probabilities), 1))).sum(axis=1)
    return np.minimum(chosen, probabilities.shape[1] - 1)
