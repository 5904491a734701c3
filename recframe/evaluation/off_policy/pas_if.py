"""An estimator chosen by the data: policy-adaptive estimator selection via importance fitting, PAS-IF (Udagawa et al., 2023).

The log is divided in two, so that one part looks as if another policy had logged it: row (x, a) goes into it with the probability
rho(x, a). With m(x) = E_mu[rho(x, a)], the parts are logs of the policies

    pi'(a|x) = mu(a|x) rho(x, a) / m(x)        mu'(a|x) = mu(a|x) (1 - rho(x, a)) / (1 - m(x))

and rho is fitted so that pi' / mu' is near the weights pi / mu of the policy to evaluate. An estimator's value of pi' from the log of mu'
is then compared with the mean reward of the log of pi', which needs no estimator. The one that errs least, over several divisions, is
chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recframe.evaluation.off_policy.contributions import Contributions
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.interfaces.data import DataError

Estimator = Callable[[SingleItemLog], Contributions]
"""From a log to the contributions of its rows to the estimate."""

PredictRewards = Callable[[np.ndarray], np.ndarray]
"""From row numbers `[b]` to rewards `[b, M]` predicted for all items there by a model of these rows only."""

FIT_ROWS = 2_000
"""At most so many rows are fitted to; all are divided."""


class DividedLog(NamedTuple):
    """How a log is divided: rho of the logged items `[n]`, and both parts' policies over all items, `[n, M]` each."""

    rho: np.ndarray
    evaluated: np.ndarray
    logging: np.ndarray


class EstimatorChoice(NamedTuple):
    """The chosen estimator's name, and the mean squared error of each, by name."""

    name: str
    errors: dict[str, float]


def pas_if(
    estimators: Mapping[str, Estimator],
    actions: np.ndarray,
    rewards: np.ndarray,
    logging: np.ndarray,
    evaluated: np.ndarray,
    predict: PredictRewards | None = None,
    divisions: int = 10,
    share: float = 0.1,
    seed: int = 0,
    steps: int = 100,
) -> EstimatorChoice:
    """Choose one of `estimators` for a policy by their errors for pseudo policies like it.

    Parameters
    ----------
    actions, rewards: `[n]`, the logged items and their rewards.
    logging, evaluated: `[n, M]`, the probabilities mu and pi of all items.
    predict: fits a reward model, if the estimators need one.
    divisions: S, the number of divisions that are drawn.   share: k, the expected share of the pseudo policy's log.
    steps: gradient steps of the importance fitting.
    """
    if not estimators:
        raise DataError("there is no estimator to choose from")
    division = fit_division(actions, logging, evaluated, share, seed, steps)
    generator = np.random.default_rng(seed)
    errors = {name: [] for name in estimators}  # type: dict[str, list[float]]
    for _ in range(divisions):
        theirs = generator.random(len(actions)) < division.rho
        rows = np.flatnonzero(~theirs)
        if theirs.sum() < 2 or len(rows) < 2:
            continue
        log = _pseudo_log(rows, actions, rewards, division, None if predict is None else predict(rows))
        on_policy = rewards[theirs].mean()
        for name, estimator in estimators.items():
            errors[name].append(float(estimator(log).value - on_policy) ** 2)
    if not next(iter(errors.values())):
        raise DataError("no row looks as if the evaluated policy had logged it: there is nothing to choose an estimator by")
    means = {name: float(np.mean(found)) for name, found in errors.items()}
    return EstimatorChoice(min(means, key=lambda name: (np.nan_to_num(means[name], nan=np.inf), name)), means)


def fit_division(
    actions: np.ndarray,
    logging: np.ndarray,
    evaluated: np.ndarray,
    share: float = 0.1,
    seed: int = 0,
    steps: int = 100,
    regularisation: float = 1.0,
) -> DividedLog:
    """Importance fitting: `min mean (pi'/mu' - pi/mu)^2 + lambda mean (m(x) / k - 1)^2` over rho, by Adam.

    The paper's objective, with the second term relative to k. rho is a network of the item's probabilities under both policies and its
    number; it starts at `k w / (1 - k + k w)`, which solves the problem as k goes to 0.
    """
    mu, pi = (torch.as_tensor(np.ascontiguousarray(side), dtype=torch.float32) for side in (logging, evaluated))
    weights = torch.where(mu > 0, pi / mu.clamp_min(1e-12), torch.zeros_like(mu))
    place = torch.from_numpy(np.array(actions, dtype=np.int64))[:, None]
    every = (mu, weights, place)
    # rho has few parameters: more rows would only make it slower
    drawn = torch.as_tensor(np.random.default_rng(seed).permutation(len(actions))[:FIT_ROWS])
    mu, weights, place = (side[drawn] for side in every)
    logged = weights.gather(1, place)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Tilt(mu.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(steps):
        rho = _rho(network, mu, weights, share)
        inside = (mu * rho).sum(1, keepdim=True)
        chosen = rho.gather(1, place)
        fitted = chosen / inside * (1 - inside) / (1 - chosen)
        loss = (fitted - logged).square().mean() + regularisation * (inside / share - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        mu, weights, place = every
        # never quite 1, and always some chance to stay in the log of mu'
        rho = _rho(network, mu, weights, share).clamp_max(0.999)
        inside = (mu * rho).sum(1, keepdim=True)
        parts = (mu * rho / inside.clamp_min(1e-12), mu * (1 - rho) / (1 - inside))
    return DividedLog(rho.gather(1, place)[:, 0].double().numpy(), *(part.double().numpy() for part in parts))


class _Tilt(nn.Module):
    """What is added to the logarithm of rho's odds: zero at first."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.zeros(items))
        last = nn.Linear(16, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), last)

    def forward(self, mu: Tensor, weights: Tensor) -> Tensor:
        tilt: Tensor = self.body(torch.stack([mu, weights.log1p()], dim=-1))[..., 0] + self.items
        return tilt


def _rho(network: _Tilt, mu: Tensor, weights: Tensor, share: float) -> Tensor:
    odds: Tensor = share / (1 - share) * weights * network(mu, weights).clamp(-8, 8).exp()
    return odds / (1 + odds)


def _pseudo_log(
    rows: np.ndarray, actions: np.ndarray, rewards: np.ndarray, division: DividedLog, predictions: np.ndarray | None
) -> SingleItemLog:
    """The rows of mu', to estimate pi' from."""
    places, chosen = np.arange(len(rows)), actions[rows]
    evaluated = division.evaluated[rows]
    return SingleItemLog(
        rewards[rows],
        division.logging[rows][places, chosen],
        np.minimum(evaluated[places, chosen], 1.0),
        predicted=None if predictions is None else predictions[places, chosen],
        expected=None if predictions is None else (evaluated * predictions).sum(axis=1),
    )
