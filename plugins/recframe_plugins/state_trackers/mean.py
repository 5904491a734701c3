"""The mean tracker: order-blind, cheap, and hard to beat where tastes are stable."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class MeanTracker(HistoryTracker):
    """Summarizes a history by the mean of its entries, the older ones discounted if `half_life` is set; zero for an empty one."""

    def __init__(self, config: MeanConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.item_dim)
        self.half_life = config.half_life

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """Mean `[N, d]` of the present entries."""
        weights = present.to(entries.dtype)
        if self.half_life is not None:
            age = torch.arange(present.shape[1] - 1, -1, -1, device=entries.device)
            weights = weights * 0.5 ** (age / self.half_life)
        total = weights.sum(dim=1, keepdim=True)
        # an empty history's weights add up to zero, and so do its weighted entries; any other's newest weight alone is one
        return (weights.unsqueeze(-1) * entries).sum(dim=1) / total.clamp(min=1.0)
