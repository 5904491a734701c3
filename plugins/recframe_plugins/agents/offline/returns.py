"""What the returns of logged sequences are like: quantiles of recent ones, and the scale of all."""

from __future__ import annotations

import torch
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


class ReturnScale(nn.Module):
    """Mean and standard deviation of all returns so far. It is saved with the weights."""

    totals: Tensor

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("totals", torch.zeros(3, dtype=torch.float64, device=device))

    @torch.no_grad()
    def add(self, returns: Tensor) -> None:
        """Count `returns` `[n]`."""
        values = returns.double()
        self.totals += torch.stack([torch.ones_like(values).sum(), values.sum(), values.square().sum()])

    def standardized(self, returns: Tensor) -> Tensor:
        """`returns` in units of the standard deviation, around the mean; before there are any that differ, in their own unit."""
        count, total, squares = self.totals
        mean = total / count.clamp(min=1)
        deviation = (squares / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
        unit = torch.where(deviation > 1e-6, deviation, 1.0)
        scaled: Tensor = ((returns - mean) / unit).to(returns.dtype)
        return scaled
