"""The reward as a linear function of feedback, for agents that need rewards where only feedback is observed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RIDGE = 1e-6


class RewardOfFeedback(nn.Module):
    """r = w' f + b by least squares over all interactions so far: exact where the reward is a weighted sum of signals.

    An observation holds the feedback of past items and not their rewards.
    """

    gram: Tensor
    cross: Tensor

    def __init__(self, num_signals: int, device: torch.device) -> None:
        super().__init__()
        size = num_signals + 1
        self.register_buffer("gram", torch.zeros(size, size, dtype=torch.float64, device=device))
        self.register_buffer("cross", torch.zeros(size, dtype=torch.float64, device=device))

    @torch.no_grad()
    def learn(self, feedback: Tensor, reward: Tensor) -> None:
        """Add interactions with feedback `[n, F]` and rewards `[n]`."""
        inputs = F.pad(feedback, (0, 1), value=1.0).double()
        self.gram += inputs.T @ inputs
        self.cross += inputs.T @ reward.double()

    @torch.no_grad()
    def coefficients(self) -> Tensor:
        """w and b `[F + 1]`."""
        # relative to the sums, so that signals that never vary are no trouble
        ridge = (
            RIDGE * self.gram.diagonal().mean().clamp(min=1.0) * torch.eye(len(self.cross), dtype=torch.float64, device=self.gram.device)
        )
        solution: Tensor = torch.linalg.solve(self.gram + ridge, self.cross)
        return solution.float()


def rewards_of(feedback: Tensor, coefficients: Tensor) -> Tensor:
    """The rewards `[...]` of feedback `[..., F]`."""
    return feedback @ coefficients[:-1] + coefficients[-1]
