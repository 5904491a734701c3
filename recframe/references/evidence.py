"""Which of a response's signals say what a person likes: the combinations that `posterior_greedy` chooses among."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# correlation from which on two responses say the same
SAME = 0.999


def evidence_candidates(signals: Sequence[Tensor], rewards: Tensor) -> list[Tensor]:
    """Weights `[F]` of the signals worth trying: their combination that is nearest to the reward (least squares), and each signal alone.

    A rating says more about a taste than the click that is rewarded; a combination that is no better than one signal is left out.

    signals: F tensors of one shape, less each item's mean.   rewards: of the same shape, less each item's mean.
    """
    scale = torch.stack([signal.double().square().mean().sqrt() for signal in signals])
    informative = [number for number, spread in enumerate(scale.tolist()) if spread > 0]
    alone = [torch.nn.functional.one_hot(torch.tensor(number), len(signals)).to(rewards) for number in informative]
    if not informative:
        return [torch.ones(len(signals)).to(rewards)]
    varying = [signals[number].flatten().double() / scale[number] for number in informative]
    gram = torch.stack([torch.stack([one @ other for other in varying]) for one in varying])
    cross = torch.stack([one @ rewards.flatten().double() for one in varying])
    # signals may be multiples of each other
    weights = torch.linalg.solve(gram + 1e-6 * gram.diagonal().mean() * torch.eye(len(gram)).to(gram), cross)
    size = (weights @ gram @ weights).clamp(min=1e-30).sqrt()
    correlations = (gram @ weights) / (gram.diagonal().sqrt() * size)
    if not weights.any() or correlations.max() > SAME:
        return alone
    combined = torch.zeros(len(signals)).to(rewards)
    combined[informative] = (weights / scale[informative]).to(rewards)
    return [combined, *alone]
