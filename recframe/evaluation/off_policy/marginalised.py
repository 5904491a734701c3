"""Marginalised importance sampling: weights of single states and actions in place of products over a session's decisions.

A session's weight multiplies its ratios, and its variance grows exponentially with its length. The ratio of how often both policies visit
a state does not (Liu et al., 2018; Xie, Ma & Wang, 2019).
"""

from __future__ import annotations

import numpy as np

from recframe.evaluation.off_policy.contributions import Contributions, mean_of
from recframe.evaluation.off_policy.logs import TrajectoryLog
from recframe.interfaces.data import DataError


def marginalised(log: TrajectoryLog, visits: np.ndarray) -> Contributions:
    """`mean sum_t gamma^t v_t rho_t r_t` with v_t = d_pi(s_t) / d_mu(s_t), the ratio of both policies' visits to the state.

    visits: v, `[..., n, T]`; what stands after a session's end is not read.
    """
    weights = np.where(log.inside, visits * log.ratios, 0.0)
    return mean_of((log.discounts * weights * log.rewards).sum(axis=-1), weights.sum(axis=-1) / log.lengths)


def visitation_ratios(log: TrajectoryLog, states: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """v_t = d_pi(s_t) / d_mu(s_t) of discrete states at each step, estimated from the log (Xie, Ma & Wang 2019, equation 7).

    d_pi is carried forward from the logged first states by transitions estimated with importance weights of a single step:
    `P_t(s'|s) = sum_i 1[s_t = s, s_{t+1} = s'] rho_t / sum_i 1[s_t = s]`. A session's end is a state of its own. Exact as n grows if
    the state is Markov; clusters of states are not quite, which is a bias.

    Parameters
    ----------
    log: `[n, T]`, without leading axes.
    states: `[n, T]` int64, numbers from 0; what stands after a session's end is not read.
    weights: `[r, n]`, how often each session counts in each of r resamples; None: once.

    Returns
    -------
    `[r, n, T]` (`[n, T]` without weights). States that a resample never visits have the ratio 0.
    """
    inside, ratios = log.inside, log.ratios
    sessions, steps = inside.shape
    if states.shape != inside.shape:
        raise DataError(f"states must have the shape of rewards, {list(inside.shape)}, not {list(states.shape)}")
    if states[inside].min() < 0:
        raise DataError(f"states are numbers from 0, not {states[inside].min()}")
    counts = np.ones((1, sessions)) if weights is None else weights
    ended = int(states[inside].max()) + 1
    places = np.where(inside, states, ended)
    indicators = np.zeros((sessions, ended + 1))
    indicators[np.arange(sessions), places[:, 0]] = 1.0
    logged = evaluated = counts @ indicators / sessions
    visits = np.empty((len(counts), sessions, steps))
    for step in range(steps):
        visits[:, :, step] = _ratio(evaluated, logged)[:, places[:, step]]
        if step + 1 < steps:
            # rho after the end is 1, and the state after the end is the end
            share = _ratio(counts, (counts @ _one_hot(places[:, step], ended + 1))[:, places[:, step]])
            flow = evaluated[:, places[:, step]] * share * ratios[:, step]
            following = _one_hot(places[:, step + 1], ended + 1)
            evaluated, logged = flow @ following, counts @ following / sessions
    return visits[0] if weights is None else visits


def marginalised_values(log: TrajectoryLog, states: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The estimates `[r]` with visits estimated anew in each resample of sessions `[r, n]`, for an interval that holds their error."""
    terms = (log.discounts * np.where(log.inside, log.ratios * log.rewards, 0.0) * visitation_ratios(log, states, weights)).sum(axis=-1)
    values: np.ndarray = (weights * terms).sum(axis=1) / weights.sum(axis=1)
    return values


def _one_hot(numbers: np.ndarray, size: int) -> np.ndarray:
    rows = np.zeros((len(numbers), size))
    rows[np.arange(len(numbers)), numbers] = 1.0
    return rows


def _ratio(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Quotients, 0 where the denominator is 0."""
    zeros = np.zeros(np.broadcast_shapes(numerators.shape, denominators.shape))
    quotients: np.ndarray = np.divide(numerators, denominators, out=zeros, where=denominators > 0)
    return quotients
