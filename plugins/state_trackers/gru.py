"""The GRU tracker: reads a history in order, so that what came last, and after what, can matter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import GRUConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class GRUTracker(HistoryTracker):
    """Summarizes a history by a GRU's output after its last entry (Hidasi et al., 2016); zero for an empty one."""

    def __init__(self, config: GRUConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.state_dim)
        self.gru = nn.GRU(config.item_dim, config.state_dim, batch_first=True, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The GRU's output `[N, S]` at the newest entry."""
        length, history = present.sum(dim=1), present.shape[1]
        # Padding is in front. Rolled to the back it comes after the output that is read, and so cannot touch it.
        order = (torch.arange(history, device=entries.device) - length.unsqueeze(1)) % history
        outputs, _ = self.gru(entries.gather(1, order.unsqueeze(-1).expand_as(entries)))
        newest = (length - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
        last: Tensor = outputs.gather(1, newest).squeeze(1)
        return last * (length > 0).unsqueeze(-1)
