"""Logged decisions as the estimators read them: numpy arrays of rewards and of both policies' probabilities, checked once.

Every array may have leading axes `...` of independent repetitions, over which all estimators are vectorised; an ordinary log has none.
All values are float64. mu is the logging policy, pi the evaluated policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from recframe.interfaces.data import DataError


@dataclass(frozen=True)
class SingleItemLog:
    """n decisions to show one item each.

    rewards: `[..., n]`.
    propensities: `[..., n]`, mu(a|x), the probability with which the logging policy chose the logged item; in (0, 1].
    probabilities: `[..., n]`, pi(a|x), the evaluated policy's probability of the logged item; in [0, 1].
    predicted: `[..., n]`, q(x, a), the reward that a model predicts for the logged item, or None: no model.
    expected: `[..., n]`, sum_a pi(a|x) q(x, a), the predicted reward of the evaluated policy, or None: no model.

    Raises
    ------
    DataError: shapes that differ, values that are not finite, or probabilities out of range, with the first row that is wrong.
    """

    rewards: np.ndarray
    propensities: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray | None = None
    expected: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check(self, probabilities=("propensities", "probabilities"))
        _check_propensities("propensities", self.propensities)
        if (self.predicted is None) != (self.expected is None):
            raise DataError("predicted and expected are of one reward model: give both or neither")

    @property
    def weights(self) -> np.ndarray:
        """Importance weights `[..., n]`, pi(a|x) / mu(a|x)."""
        weights: np.ndarray = self.probabilities / self.propensities
        return weights


@dataclass(frozen=True)
class SlateLog:
    """n decisions to show slates of K items.

    rewards: `[..., n, K]`, of each position.
    propensities, probabilities: `[..., n, K]`, of the logged item at position k given the logged items at the positions above it, under
        mu and under pi. Their product over k is the probability of the slate. None: not known.
    marginal_propensities, marginal_probabilities: `[..., n, K]`, of the logged item at position k whatever is at the others. None: not
        known.

    Raises
    ------
    DataError: as `SingleItemLog`.
    """

    rewards: np.ndarray
    propensities: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    marginal_propensities: np.ndarray | None = None
    marginal_probabilities: np.ndarray | None = None

    def __post_init__(self) -> None:
        pairs = (("propensities", "probabilities"), ("marginal_propensities", "marginal_probabilities"))
        _check(self, probabilities=pairs[0] + pairs[1])
        if self.rewards.ndim < 2:
            raise DataError(f"rewards of slates are [n, K], one for each position, not {list(self.rewards.shape)}")
        for logging, evaluated in pairs:
            if (getattr(self, logging) is None) != (getattr(self, evaluated) is None):
                raise DataError(f"{logging} and {evaluated} are compared with each other: give both or neither")
            if getattr(self, logging) is not None:
                _check_propensities(logging, getattr(self, logging))


@dataclass(frozen=True)
class TrajectoryLog:
    """n sessions of up to T decisions, filled up at the end.

    rewards, propensities, probabilities: `[..., n, T]`, as in `SingleItemLog`, of each step. What stands after a session's end is not
        read.
    lengths: `[..., n]` int64, the number of steps of each session, 1 to T.
    discount: gamma, the factor of a reward one step later; in (0, 1].
    predicted: `[..., n, T]`, Q(s_t, a_t), the predicted return from the logged action on, or None: no model.
    expected: `[..., n, T]`, V(s_t) = sum_a pi(a|s_t) Q(s_t, a), or None: no model.

    Raises
    ------
    DataError: as `SingleItemLog`.
    """

    rewards: np.ndarray
    propensities: np.ndarray
    probabilities: np.ndarray
    lengths: np.ndarray
    discount: float = 1.0
    predicted: np.ndarray | None = None
    expected: np.ndarray | None = None
    inside: np.ndarray = field(init=False, repr=False)
    """`[..., n, T]` bool, the steps of sessions."""

    def __post_init__(self) -> None:
        if self.rewards.ndim < 2 or self.lengths.shape != self.rewards.shape[:-1]:
            shapes = f"{list(self.rewards.shape)} and {list(self.lengths.shape)}"
            raise DataError(f"rewards of sessions are [n, T] and their lengths [n], not {shapes}")
        if not 0 < self.discount <= 1:
            raise DataError(f"the discount must be above 0 and at most 1, not {self.discount:g}")
        if (self.predicted is None) != (self.expected is None):
            raise DataError("predicted and expected are of one model of returns: give both or neither")
        steps = self.rewards.shape[-1]
        if self.lengths.size and not (self.lengths.min() >= 1 and self.lengths.max() <= steps):
            raise DataError(f"a session has 1 to T = {steps} steps; lengths are {self.lengths.min()} to {self.lengths.max()}")
        inside = np.arange(steps) < self.lengths[..., None]
        object.__setattr__(self, "inside", inside)
        # neutral after the end: no reward, a ratio of 1, no prediction
        for name, neutral in (("rewards", 0.0), ("propensities", 1.0), ("probabilities", 1.0), ("predicted", 0.0), ("expected", 0.0)):
            values = getattr(self, name)
            if values is not None and np.shape(values) == inside.shape:
                object.__setattr__(self, name, np.where(inside, values, neutral))
        _check(self, probabilities=("propensities", "probabilities"))
        _check_propensities("propensities", self.propensities)

    @property
    def ratios(self) -> np.ndarray:
        """pi(a_t|s_t) / mu(a_t|s_t), `[..., n, T]`; 1 after a session's end."""
        ratios: np.ndarray = self.probabilities / self.propensities
        return ratios

    @property
    def discounts(self) -> np.ndarray:
        """gamma^t, `[T]`."""
        return self.discount ** np.arange(self.rewards.shape[-1], dtype=np.float64)


def _check(log: SingleItemLog | SlateLog | TrajectoryLog, probabilities: tuple[str, ...]) -> None:
    """Store every array as float64; all of one shape, without NaN, and `probabilities` in [0, 1]."""
    shape = np.shape(log.rewards)
    if not shape or not shape[-1]:
        raise DataError("the log is empty: there are no rewards to estimate from")
    for name in ("rewards", "propensities", "probabilities", "predicted", "expected", "marginal_propensities", "marginal_probabilities"):
        values = getattr(log, name, None)
        if values is None:
            continue
        values = np.asarray(values, dtype=np.float64)
        object.__setattr__(log, name, values)
        if values.shape != shape:
            raise DataError(f"{name} must have the shape of rewards, {list(shape)}, not {list(values.shape)}")
        if not np.isfinite(values).all():
            raise DataError(f"{name}: {_first(values, ~np.isfinite(values))}; it must be a number")
        # probabilities that were summed in float32 exceed 1 by rounding
        wrong = (values < 0) | (values > 1 + 1e-6)
        if name in probabilities and wrong.any():
            raise DataError(f"{name}: {_first(values, wrong)}; a probability is between 0 and 1")


def _check_propensities(name: str, values: np.ndarray) -> None:
    if (values == 0).any():
        raise DataError(f"{name}: {_first(values, values == 0)}; what was logged must have had a probability above 0")


def _first(values: np.ndarray, wrong: np.ndarray) -> str:
    """The place and the value of the first wrong one, and how many there are."""
    place = tuple(int(axis) for axis in np.argwhere(wrong)[0])
    count = int(wrong.sum())
    row = f"row {place[0]}" if len(place) == 1 else f"row {list(place)}"
    return f"{row} is {values[place]:g}" + (f" ({count:,} rows are like that)" if count > 1 else "")
