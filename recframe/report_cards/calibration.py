"""Calibration: how far predictions are from what was observed, in tenths of the predictions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recframe.report_cards.people_bootstrap import BootstrapEstimate, PeopleBootstrap

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


def calibration_estimate(people: Tensor, predicted: Tensor, observed: Tensor, bootstrap: PeopleBootstrap) -> BootstrapEstimate:
    """`calibration_error` with its interval over people; the tenths are those of all pairs.

    Distances are never negative, so those of a resample are larger by its noise: with few people the interval is above what is measured.

    people: `[R]`, whose pair each is: numbers from 0 to P - 1.
    """
    order = predicted.argsort(stable=True)
    gaps = (predicted - observed.to(predicted.dtype))[order].double()
    tenths = torch.tensor_split(gaps.new_zeros(len(gaps)), min(GROUPS, len(gaps)))
    tenth = torch.cat([torch.full((len(part),), number) for number, part in enumerate(tenths)])
    sums = torch.zeros(bootstrap.weights.shape[1], len(tenths), dtype=torch.float64)
    sums.index_put_((people[order], tenth), gaps, accumulate=True)
    counts = torch.bincount(people, minlength=len(sums)).double().numpy()

    def error(weights: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(weights @ sums.numpy()).sum(axis=1) / (weights @ counts))

    return bootstrap.interval(calibration_error(predicted, observed), error(bootstrap.weights))


def calibration_of(predicted: Tensor, observed: Tensor, name: str) -> dict[str, float]:
    """The calibration error of `predicted` `[R]` against `observed` `[R]` under `name`, and both by tenths, lowest predictions first."""
    measures = {name: calibration_error(predicted, observed)}
    for tenth, pair in enumerate(zip(*deciles(predicted, observed), strict=True), 1):
        measures |= {f"{name}/decile_{tenth}_{side}": value.item() for side, value in zip(("predicted", "observed"), pair, strict=True)}
    return measures
