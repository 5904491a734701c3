"""Calibration of a fitted user model: click probabilities that agree with the log.

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

__all__ = ["ClickCurve", "click_curve"]

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
