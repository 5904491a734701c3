"""The measures of a report card: discrimination, calibration and yes-bias of predicted likes against real ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from recframe.report_cards.calibration import calibration_estimate, calibration_of
from recframe.report_cards.discrimination import pair_counts
from recframe.report_cards.people_bootstrap import PeopleBootstrap

BASELINE = "item_mean"


def agreement(
    people: Tensor,
    liked: Tensor,
    scores: Mapping[str, Tensor],
    baselines: Mapping[str, Tensor],
    probability: Tensor,
    unusable: Tensor,
    prefix: str,
    seed: int = 0,
) -> dict[str, float]:
    """How well scores agree with what people really liked, with 95 % intervals over people (`..._low`, `..._high`).

    The measures are, each under `prefix`: `auc_NAME` and `auc_within_NAME` of every score and baseline (see `discrimination.py`);
    `auc_NAME_gain`, a score's AUC less that of the baseline `item_mean`; `share_liked`, and `share_said`, the mean of `probability`;
    `yes_bias`, the second less the first; `calibration_error` with its tenths; `unusable_answers`; `num_ratings` and `num_people`.

    Parameters
    ----------
    people: `[P, n]` or `[R]`, numbers of which equal ones are one person.   liked: the same shape, bool: what the people really liked.
    scores: by name, in that shape; higher where more is said to be liked.   baselines: the same for what they are compared with.
    probability: in that shape, from 0 to 1, with which each is said to be liked.
    unusable: in that shape, the share of the answers about each that could not be used.
    """
    numbers = people.flatten().unique(return_inverse=True)[1].numpy()
    truth = liked.flatten().numpy()
    bootstrap = PeopleBootstrap(int(numbers.max()) + 1, seed)
    measures = {f"{prefix}num_ratings": float(len(truth)), f"{prefix}num_people": float(numbers.max() + 1)}
    counts = {name: pair_counts(numbers, _numbers(score), truth) for name, score in {**scores, **baselines}.items()}
    for name, count in counts.items():
        measures |= count.auc(bootstrap).entries(f"{prefix}auc_{name}")
        measures |= count.auc_within(bootstrap).entries(f"{prefix}auc_within_{name}")
    if BASELINE in baselines:
        for name in scores:
            measures |= counts[name].gain_over(counts[BASELINE], bootstrap).entries(f"{prefix}auc_{name}_gain")
    said = _numbers(probability)

    def mean(values: np.ndarray, name: str) -> dict[str, float]:
        sums = np.bincount(numbers, weights=values), np.bincount(numbers).astype(np.float64)
        return bootstrap.ratio(*sums).entries(f"{prefix}{name}")

    measures |= mean(truth.astype(np.float64), "share_liked") | mean(said, "share_said") | mean(said - truth, "yes_bias")
    measures |= mean(_numbers(unusable), "unusable_answers")
    pairs = torch.from_numpy(said), torch.from_numpy(truth)
    measures |= calibration_of(*pairs, f"{prefix}calibration_error")
    return measures | calibration_estimate(torch.from_numpy(numbers), *pairs, bootstrap).entries(f"{prefix}calibration_error")


def _numbers(score: Tensor) -> np.ndarray:
    return np.asarray(score.flatten().double().numpy())
