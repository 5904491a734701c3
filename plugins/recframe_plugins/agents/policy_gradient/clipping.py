"""The clipped gain of PPO, which keeps a policy near the one that acted."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_gain(log_ratio: Tensor, advantages: Tensor, clip_range: float | None) -> Tensor:
    """L^CLIP before its mean (Schulman et al., 2017, equation 7), in the shape of `log_ratio`, log(pi / pi_old).

    `advantages` broadcast to it. With `clip_range` None nothing is clipped: at pi = pi_old, the gradient is the policy gradient.
    """
    ratio = log_ratio.exp()
    gain = ratio * advantages
    if clip_range is None:
        return gain
    return torch.minimum(gain, ratio.clamp(1 - clip_range, 1 + clip_range) * advantages)
