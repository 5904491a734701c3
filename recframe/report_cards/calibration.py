"""Calibration: how far predictions are from what was observed, in tenths of the predictions."""

from __future__ import annotations

import torch
from torch import Tensor

GROUPS = 10


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
