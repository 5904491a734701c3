"""Calibration of a fitted user model: click probabilities that agree with the log, and how far predictions are from what was observed.

With s the predicted rating, standardised over all pairs of user and item, the probability of a click of a rested user is

    P(click | s) = sigmoid(slope s + intercept)

(Platt 1999, "Probabilistic outputs for support vector machines"), fitted to logged clicks that the model did not see. At the maximum
of the likelihood, the mean probability of these pairs is their share of clicks. The log says nothing of pairs that it does not have: there
the probability is an extrapolation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ClickCurve", "calibration_error", "calibration_of", "click_curve", "deciles"]

GROUPS = 10
NEWTON_STEPS = 50
# the weight of a prior Normal(0, 1) of the slope, so that clicks that the score separates completely give a finite one
SLOPE_PENALTY = 1.0


class ClickCurve(NamedTuple):
    """P(click | s) = sigmoid(slope s + intercept)."""

    slope: float
    intercept: float

    def __call__(self, scores: Tensor) -> Tensor:
        """The probabilities of a click, in the shape of the standardised `scores`."""
        return torch.sigmoid(self.slope * scores + self.intercept)


def click_curve(scores: Tensor, clicks: Tensor) -> ClickCurve:
    """The curve of the highest likelihood for `clicks` `[R]` (0 or 1, both occur) given standardised `scores` `[R]`, by Newton's method.

    The slope has a weak Normal(0, 1) prior, and the intercept none: so the mean probability equals the share of clicks.
    """
    x = torch.stack([scores.double(), torch.ones_like(scores, dtype=torch.float64)], dim=1)
    y = clicks.double()
    penalty = torch.diag(torch.tensor([SLOPE_PENALTY, 0.0], dtype=torch.float64))
    share = y.mean()
    weights = torch.stack([torch.zeros_like(share), torch.logit(share)])
    for _ in range(NEWTON_STEPS):
        probability = torch.sigmoid(x @ weights)
        gradient = x.T @ (y - probability) - penalty @ weights
        curvature = (x.T * (probability * (1.0 - probability))) @ x + penalty
        # a step of at most 1 in each number keeps the iteration from overshooting where probabilities are near 0 or 1
        weights = weights + torch.linalg.solve(curvature, gradient).clamp(-1.0, 1.0)
    return ClickCurve(*weights.tolist())


def deciles(predicted: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """The mean prediction and the mean observation of each tenth of the pairs by prediction, `[B]` each, lowest first.

    predicted, observed: `[R]`. B is 10, or R if there are fewer pairs.
    """
    order = predicted.argsort(stable=True)
    groups = [torch.tensor_split(values[order].double(), min(GROUPS, len(order))) for values in (predicted, observed)]
    means, observations = (torch.stack([group.mean() for group in part]) for part in groups)
    return means, observations


def calibration_error(predicted: Tensor, observed: Tensor) -> float:
    """The mean distance between the mean prediction and the mean observation of a tenth, weighted by its number of pairs.

    This is the expected calibration error of Guo et al. 2017 (arXiv:1706.04599), with tenths of equal size in place of equal width.
    """
    means, observations = deciles(predicted, observed)
    sizes = torch.tensor([len(group) for group in torch.tensor_split(predicted, len(means))], dtype=torch.float64)
    return ((means - observations).abs() * sizes).sum().item() / len(predicted)


def calibration_of(predicted: Tensor, observed: Tensor, name: str) -> dict[str, float]:
    """The calibration error of `predicted` `[R]` against `observed` `[R]` under `name`, and both by tenths, lowest predictions first."""
    measures = {name: calibration_error(predicted, observed)}
    for tenth, pair in enumerate(zip(*deciles(predicted, observed), strict=True), 1):
        measures |= {f"{name}/decile_{tenth}_{side}": value.item() for side, value in zip(("predicted", "observed"), pair, strict=True)}
    return measures
