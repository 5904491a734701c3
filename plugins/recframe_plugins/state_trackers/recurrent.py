"""The recurrent state trackers, GRU and LSTM, which read the history in order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import RecurrentConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class RecurrentTracker(HistoryTracker):
    """Summarizes a history by the output of a recurrent network after the last entry; zero for an empty history.

    In updates, dropout is applied to the entries and to the outputs.
    """

    network: type[nn.GRU] | type[nn.LSTM]

    def __init__(self, config: RecurrentConfig, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(config, spec, data, summary_dim=config.state_dim)
        self.dropout_in_updates = config.dropout
        self.recurrent = self.network(config.item_dim, config.state_dim, batch_first=True, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The output `[N, S]` of the network at the newest entry."""
        length = present.sum(dim=1)
        newest = (length - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, self.recurrent.hidden_size)
        last: Tensor = self._outputs(entries, length).gather(1, newest).squeeze(1)
        return last * (length > 0).unsqueeze(-1)

    def summaries(self, entries: Tensor, present: Tensor) -> Tensor:
        """The outputs `[N, H, S]` of the network at all entries."""
        length, history = present.sum(dim=1), present.shape[1]
        back = (torch.arange(history, device=entries.device) + length.unsqueeze(1)) % history
        outputs = self._outputs(entries, length)
        return outputs.gather(1, back.unsqueeze(2).expand_as(outputs)) * present.unsqueeze(2)

    def _outputs(self, entries: Tensor, length: Tensor) -> Tensor:
        """The outputs `[N, H, S]` of the network, where those of a history of `length` `[N]` are the first ones."""
        history = entries.shape[1]
        # Padding is in front. Rolling moves it behind the outputs that are read, which it then cannot affect.
        order = (torch.arange(history, device=entries.device) - length.unsqueeze(1)) % history
        entries = F.dropout(entries.gather(1, order.unsqueeze(-1).expand_as(entries)), self.dropout)
        outputs: Tensor = self.recurrent(entries)[0]
        return F.dropout(outputs, self.dropout)


class GRUTracker(RecurrentTracker):
    """A gated recurrent unit (Cho et al., 2014), as in Hidasi et al. (2016)."""

    network = nn.GRU


class LSTMTracker(RecurrentTracker):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997)."""

    network = nn.LSTM
