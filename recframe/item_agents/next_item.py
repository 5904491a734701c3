"""Losses of the next item that need only a sample of the catalogue: cross-entropy with a sampled softmax, and gBCE.

Cross-entropy over the whole catalogue is `torch.nn.functional.cross_entropy` of the products of queries and item vectors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, smoothed_popularity


class Negatives(NamedTuple):
    """Items `[n]` int64 drawn with replacement, and the logarithm of how many items each stands for, -log(n q(item)), `[n]` float32."""

    items: Tensor
    log_weights: Tensor


class NegativeSampler:
    """Draws items with q(i) proportional to popularity to the power of `exponent` (0: uniformly).

    The popularity is smoothed: an item that is never drawn would be missing in every estimate.
    """

    def __init__(self, popularity: Tensor, exponent: float) -> None:
        self.num_items = len(popularity)
        probabilities = smoothed_popularity(popularity) ** exponent
        self.log_probabilities = (probabilities / probabilities.sum()).log().float()
        self._below = (probabilities / probabilities.sum()).cumsum(dim=0) if exponent else None

    def draw(self, size: int, generator: torch.Generator) -> Negatives:
        """n = `size` negatives."""
        device = self.log_probabilities.device
        if self._below is None:
            items = torch.randint(self.num_items, (size,), generator=generator, device=device)
        else:
            draws = torch.rand(size, generator=generator, device=device, dtype=torch.float64)
            items = torch.searchsorted(self._below, draws, right=True).clamp(max=self.num_items - 1)
        return Negatives(items, -self.log_probabilities[items] - math.log(size))


def sampled_cross_entropy(
    query: Tensor, taken: Tensor, negatives: Tensor, log_weights: Tensor | float, absent: Tensor | None = None
) -> Tensor:
    """-log of the softmax's probability of the items taken, `[S]`, where the sum over all other items is estimated from n negatives.

    query: `[S, d]`.   taken: vectors of the items taken, `[S, d]`.   negatives: vectors `[n, d]`.
    log_weights: `[n]`, or a number: the logarithm of how many items each negative stands for.
    absent: `[S, n]` bool, the negatives that do not count, such as the item taken itself, which is a term of its own.

    The estimated sum is unbiased, as each negative is weighted by the inverse of how often it is expected to be drawn (Bengio & Senecal,
    2008; the logQ correction of Yi et al., 2019). Its logarithm and the gradient have a bias that vanishes with n.
    """
    chosen = (query * taken).sum(dim=1)
    scores = query @ negatives.T + log_weights
    if absent is not None:
        scores = scores.masked_fill(absent, -torch.inf)
    return torch.logaddexp(chosen, scores.logsumexp(dim=1)) - chosen


def gbce(query: Tensor, taken: Tensor, negatives: Tensor, beta: float, absent: Tensor | None = None) -> Tensor:
    """-(log sigma(s+)^beta + sum over n negatives of log(1 - sigma(s-))) / (n + 1), `[S]`: gBCE of gSASRec (Petrov & Macdonald, 2023).

    Parameters are those of `sampled_cross_entropy`; negatives are drawn uniformly. beta: of `gbce_beta`; 1 is binary cross-entropy.
    """
    chosen = (query * taken).sum(dim=1)
    rejected = F.softplus(query @ negatives.T)
    if absent is not None:
        rejected = rejected.masked_fill(absent, 0.0)
    return (beta * F.softplus(-chosen) + rejected.sum(dim=1)) / (len(negatives) + 1)


def gbce_beta(negatives: int, num_items: int, calibration: float) -> float:
    """beta = alpha (t (1 - 1 / alpha) + 1 / alpha), with the sampling rate alpha = negatives / (M - 1) and the calibration t.

    Petrov & Macdonald (2023): with t = 0 beta is 1, the loss is binary cross-entropy, and sigma(s) is above the probability of the item;
    with t = 1 beta is alpha, and sigma(s) is the probability.
    """
    alpha = min(negatives / max(num_items - 1, 1), 1.0)
    return alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)


class Renumbered(NamedTuple):
    """The distinct items `rows` `[R]` int64 of several tensors, and the tensors with items numbered by their row among these."""

    rows: Tensor
    numbers: list[Tensor]


def renumbered(named: list[Tensor]) -> Renumbered:
    """The items of the tensors `named`, of any shape, under numbers of their own; `PAD` stays `PAD`.

    Item 0 is among the rows where there is padding.
    """
    rows, inverse = torch.unique(torch.cat([numbers.flatten().clamp(min=0) for numbers in named]), return_inverse=True)
    parts = inverse.split([numbers.numel() for numbers in named])
    return Renumbered(
        rows, [torch.where(numbers == PAD, PAD, part.view(numbers.shape)) for numbers, part in zip(named, parts, strict=True)]
    )
