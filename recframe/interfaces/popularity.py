"""Popularity of items without zeros, and their novelty, for the novelty metric, for rewards and for sampling."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothed_popularity(popularity: Tensor) -> Tensor:
    """`p(i) = (popularity_i + s) / (sum + M s)`, float64 `[M]`, where s is the smallest popularity above zero (1 if there is none).

    For counts that start at one this is add-one smoothing. Since s has popularity's own unit, counts and shares of the same data give the
    same values.
    """
    popularity = popularity.double()
    positive = popularity[popularity > 0]
    smoothing = positive.min() if len(positive) else popularity.new_tensor(1.0)
    smoothed = popularity + smoothing
    return smoothed / smoothed.sum()


def self_information(popularity: Tensor) -> Tensor:
    """Novelty of each item, `-log2 p(i)` in bits, float64 `[M]` (Zhou et al. 2010; Castells et al. 2011), by `smoothed_popularity`."""
    return -torch.log2(smoothed_popularity(popularity))
