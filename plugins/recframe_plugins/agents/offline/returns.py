"""Returns of logged sequences: sums of the next rewards, and what recent returns were like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RecentReturns(nn.Module):
    """The last `size` returns, of which quantiles are taken. It is saved with the weights."""

    values: Tensor
    written: Tensor

    def __init__(self, size: int, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(size, device=device))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64, device=device))

    @torch.no_grad()
    def add(self, returns: Tensor) -> None:
        """Keep `returns` `[n]` in place of the oldest."""
        returns = returns[-len(self.values) :]
        places = (self.written + torch.arange(len(returns), device=returns.device)) % len(self.values)
        self.values[places] = returns.to(self.values.dtype)
        self.written += len(returns)

    def quantile(self, share: float) -> Tensor:
        """The return that `share` of the recent ones do not exceed, a scalar; 0 before there are any."""
        missing = torch.arange(len(self.values), device=self.values.device) >= self.written
        return self.values.masked_fill(missing, torch.nan).nanquantile(share, interpolation="lower").nan_to_num(0.0)


def sums_ahead(rewards: Tensor, horizon: int) -> Tensor:
    """The sum of the `horizon` rewards from each place on, `[B, W - horizon + 1]`, of rewards `[B, W]`."""
    totals = F.pad(rewards.cumsum(dim=1), (1, 0))
    return totals[:, horizon:] - totals[:, :-horizon]
