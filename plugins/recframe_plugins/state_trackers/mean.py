"""The mean state tracker: cheap, and a strong baseline if tastes are stable."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class MeanTracker(HistoryTracker):
    """Summarizes a history by the mean of its entries, discounted by age if `half_life` is set; zero for an empty history."""

    def __init__(self, config: MeanConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.item_dim)
        self.half_life = config.half_life

    def summaries(self, entries: Tensor, present: Tensor) -> Tensor:
        """Means `[N, H, d]` of the present entries up to each place: one product with the weights of all entries at all places."""
        places = torch.arange(present.shape[1], device=entries.device)
        age = places.unsqueeze(1) - places
        weights = (age >= 0).to(entries.dtype)
        if self.half_life is not None:
            weights = weights * 0.5 ** (age.clamp(min=0) / self.half_life)
        counts = present.to(entries.dtype)
        total = (counts @ weights.T).unsqueeze(2)
        return weights @ entries.masked_fill(~present.unsqueeze(2), 0.0) / total.clamp(min=1.0)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """Mean `[N, d]` of the present entries."""
        weights = present.to(entries.dtype)
        if self.half_life is not None:
            age = torch.arange(present.shape[1] - 1, -1, -1, device=entries.device)
            weights = weights * 0.5 ** (age / self.half_life)
        total = weights.sum(dim=1, keepdim=True)
        # the weights of an empty history sum to zero, as do its weighted entries; otherwise the newest weight alone is one
        return (weights.unsqueeze(-1) * entries).sum(dim=1) / total.clamp(min=1.0)
