"""Calibration of zero-shot labels: a scale and biases, fitted to texts whose labels are known, and measures of the result.

Softmax(a s + b) is fitted by maximum likelihood: Platt's (1999) scaling for more than two labels, between the temperature and the vector
scaling of Guo et al. 2017 (ICML, "On Calibration of Modern Neural Networks"). A weak penalty on b and on log(a temperature) keeps them
finite if labels never err or never occur.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

PENALTY = 0.1
"""Weight of the penalty: a prior of variance 1 / PENALTY for each parameter, against the sum of the texts' log losses."""

BINS = 15
"""Bins of equal width over the confidence, as in Guo et al. 2017."""


def calibration_split(texts: Sequence[str], known: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of labelled texts to fit to, and rows to evaluate on: half of the different texts each, the same ones in every run."""
    labelled = (known >= 0).nonzero().squeeze(1)
    numbers: dict[str, int] = {}
    text = torch.tensor([numbers.setdefault(texts[row], len(numbers)) for row in labelled.tolist()])
    chosen = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0)) < len(numbers) / 2
    first = chosen[text]
    return labelled[first], labelled[~first]


def fit_calibration(logits: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and the biases `[L]` under which softmax(scale logits + bias) makes the labels `known` `[n]` most likely.

    The mean log loss under them is never more than under scale 1 and bias 0, where the search starts and the penalty is zero.
    """
    parameters = torch.zeros(1 + logits.shape[1], dtype=torch.float64, device=logits.device, requires_grad=True)
    with torch.enable_grad():
        optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            values = parameters[0].exp() * logits.double() + parameters[1:]
            total: Tensor = F.cross_entropy(values, known) + PENALTY / len(known) * parameters.square().sum() / 2
            total.backward()
            return total

        optimizer.step(loss)
    found = parameters.detach()
    return found[0].exp(), found[1:]


def label_quality(logits: Tensor, known: Tensor) -> dict[str, float]:
    """Accuracy, log loss (nats) and expected calibration error (Guo et al. 2017, equation 3) of softmax(logits) `[n, L]`."""
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    right = (predicted == known).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64, device=logits.device).index_add_(0, bins, right - confidence)
    return {
        "accuracy": float(right.mean()),
        "log_loss": float(F.cross_entropy(logits, known)),
        "calibration_error": float(gaps.abs().sum() / len(known)),
    }
