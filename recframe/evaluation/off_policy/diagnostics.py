"""How far an off-policy estimate can be believed: effective sample size, weights and support, and caveats from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from recframe.evaluation.off_policy.policy_caveats import PolicyCaveat
from recframe.evaluation.off_policy.uninformed import says_nothing
from recframe.evaluation.results import Metrics

FEW_ROWS = 100
"""Below this effective sample size bootstrap intervals may be too short: docs/results/off_policy.md."""
LARGE_SHARE = 0.05
FEW_PEOPLE = 30
MISSING_SUPPORT = 0.01
RANGE_ALLOWED = 0.001


@dataclass(frozen=True)
class Diagnostics:
    """About the importance weights of one evaluated policy in one log.

    rows: n decisions (or sessions).   people: whom they are of.
    effective_rows: `(sum w)^2 / sum w^2` (Kish, 1965), the number of on-policy rows with about the same variance.
    mean_weight: should be 1; its expectation is the probability of what could be logged.   mean_weight_error: its standard error.
    largest_weight, largest_share: the largest weight, and its share of the sum of all.
    zero_weights: the share of rows that say nothing about the policy.
    unlogged: the mean probability that the policy shows an item that none of the rows has shown.
    impossible: the mean probability that it shows an item that the logging policy never would; NaN: its probabilities are not known.
    """

    rows: int
    people: int
    effective_rows: float
    mean_weight: float
    mean_weight_error: float
    largest_weight: float
    largest_share: float
    zero_weights: float
    unlogged: float = 0.0
    impossible: float = float("nan")

    def as_numbers(self) -> dict[str, float | int]:
        """The fields by name, as in result.json."""
        return asdict(self)


def effective_sample_size(weights: np.ndarray) -> np.ndarray:
    """`(sum w)^2 / sum w^2` along the last axis; 0 where all weights are 0."""
    squares = (weights**2).sum(axis=-1)
    size: np.ndarray = np.divide(weights.sum(axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    return size


def diagnose(weights: np.ndarray, people: np.ndarray | None = None, unlogged: float = 0.0, impossible: float = float("nan")) -> Diagnostics:
    """Diagnostics of importance weights `[n]`, of the rows of `people` `[n]` (None: all of different people)."""
    total, rows = float(weights.sum()), len(weights)
    numbers = np.arange(rows) if people is None else np.unique(people, return_inverse=True)[1]
    deviations = np.bincount(numbers, weights - weights.mean())
    return Diagnostics(
        rows=rows,
        people=len(deviations),
        effective_rows=float(effective_sample_size(weights)),
        mean_weight=total / rows,
        mean_weight_error=float(np.sqrt((deviations**2).sum()) / rows),
        largest_weight=float(weights.max()),
        largest_share=float(weights.max() / total) if total else 0.0,
        zero_weights=float((weights == 0).mean()),
        unlogged=unlogged,
        impossible=impossible,
    )


def weight_caveats(policy: str, found: Diagnostics, unit: str = "decisions") -> list[PolicyCaveat]:
    """Why the estimates of `policy` that use weights should not be believed; empty if nothing speaks against them."""
    if found.effective_rows == 0:
        never = "never does what was logged" if unit == "decisions" else "never does all that was logged in a session"
        return [PolicyCaveat(policy, f"the policy {never}; the log says nothing about it except through a reward model.")]
    caveats = []
    if found.effective_rows < FEW_ROWS:
        few = f"the effective sample size is below {FEW_ROWS}; intervals are too short, and the estimate should not be believed."
        caveats.append(PolicyCaveat(policy, few, f"{found.effective_rows:.0f} of {found.rows:,} {unit}"))
    if found.largest_share > LARGE_SHARE:
        large = f"one of {found.rows:,} {unit} has this much of the total weight; the estimate is mostly about it."
        caveats.append(PolicyCaveat(policy, large, f"{found.largest_share:.0%}"))
    if found.impossible > MISSING_SUPPORT:
        impossible = (
            "in so many of its choices it shows items that the logging policy never would; their reward is not in the log, and estimates "
            "without a reward model count it as 0."
        )
        caveats.append(PolicyCaveat(policy, impossible, f"{found.impossible:.1%}"))
    if found.unlogged > MISSING_SUPPORT:
        unlogged = (
            f"in so many of its choices it shows items that none of the {found.rows:,} {unit} has shown; nothing in these tells what such "
            "items are worth."
        )
        caveats.append(PolicyCaveat(policy, unlogged, f"{found.unlogged:.1%}"))
    if abs(found.mean_weight - 1) > max(3 * found.mean_weight_error, 0.01):
        cause = (
            "it does what could not be logged, or the propensities are too large"
            if found.mean_weight < 1
            else "the propensities are too small, or not those of the policy that chose"
        )
        figure = f"{found.mean_weight:.3f}, standard error {found.mean_weight_error:.3f}"
        caveats.append(PolicyCaveat(policy, f"the mean weight should be 1: {cause}.", figure))
    return caveats


def few_people(people: np.ndarray, unit: str = "decisions") -> list[str]:
    """A sentence if rows of `people` `[n]` are of so few that no interval over them can be trusted."""
    count = len(np.unique(people))
    return [f"The {unit} are of only {count} people; intervals over fewer than {FEW_PEOPLE} are unreliable."] if count < FEW_PEOPLE else []


def range_caveats(policy: str, metrics: Metrics, estimator: str, found: Diagnostics, possible: tuple[float, float]) -> list[PolicyCaveat]:
    """One if the estimate is clearly outside the range of what is `possible`.

    metrics: those of the policy, with `value` or `return`.   estimator: the one behind it.   found: the policy's diagnostics.
    possible: the smallest and the largest of the logged rewards; of returns, those of sessions of the logged lengths with such rewards:
        a policy may well earn more in each session than the logging policy did in any.
    """
    if says_nothing(estimator, found.effective_rows):
        return []
    name, things = ("value", "the logged rewards") if "value" in metrics else ("return", "returns of sessions with the logged rewards")
    mean, (low, high) = metrics[name]["mean"], possible
    # a reward model leaves the range by a little, which is not seen in a table
    allowed = 1e-9 + RANGE_ALLOWED * (high - low)
    if low - allowed <= mean <= high + allowed:
        return []
    outside = (
        f"the estimate is outside the range of {things}, {low:.4g} to {high:.4g}; their mean cannot be, and the estimate should not be "
        "believed."
    )
    return [PolicyCaveat(policy, outside, f"{mean:.4g}")]
