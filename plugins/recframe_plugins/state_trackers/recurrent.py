"""The recurrent state trackers, GRU and LSTM, which read the history in order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class RecurrentTracker(HistoryTracker):
    """Summarizes a history by the output of a recurrent network after the last entry; zero for an empty history."""

    network: type[nn.GRU] | type[nn.LSTM]

    def __init__(self, config: StateTrackerConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.state_dim)
        self.recurrent = self.network(config.item_dim, config.state_dim, batch_first=True, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The output `[N, S]` of the network at the newest entry."""
        length, history = present.sum(dim=1), present.shape[1]
        # Padding is in front. Rolling moves it behind the output that is read, which it then cannot affect.
        order = (torch.arange(history, device=entries.device) - length.unsqueeze(1)) % history
        outputs, _ = self.recurrent(entries.gather(1, order.unsqueeze(-1).expand_as(entries)))
        newest = (length - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
        last: Tensor = outputs.gather(1, newest).squeeze(1)
        return last * (length > 0).unsqueeze(-1)


class GRUTracker(RecurrentTracker):
    """A gated recurrent unit (Cho et al., 2014), as in Hidasi et al. (2016)."""

    network = nn.GRU


class LSTMTracker(RecurrentTracker):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997)."""

    network = nn.LSTM
