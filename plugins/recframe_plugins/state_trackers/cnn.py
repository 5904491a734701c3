"""The convolutional state tracker: horizontal and vertical filters over the newest entries of the history (Caser)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import CNNConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class CNNTracker(HistoryTracker):
    """Caser (Tang & Wang, WSDM 2018): convolutions over the H x d matrix of the newest entries, like an image; zero for an empty history.

    summary = [horizontal | vertical]. A horizontal filter of height h is applied to every window of h consecutive entries, followed by
    ReLU and the maximum over windows. A vertical filter is a weighted sum of the H entries, the same in each of the d dimensions. The
    fusion is the layer above both.

    The matrix ends with the newest entry, and missing entries in front are zero. A window ends at an entry and may start before the first
    one, so histories shorter than a filter have windows too, and the amount of padding in front has no effect. In updates, dropout is
    applied to the outputs of the filters.
    """

    def __init__(self, config: CNNConfig, spec: EnvironmentSpec, data: Data) -> None:
        horizontal = len(config.heights) * config.horizontal_filters
        super().__init__(config, spec, data, summary_dim=horizontal + config.vertical_filters * config.item_dim)
        self.dropout_in_updates = config.dropout
        self.reach = spec.history_length
        self.horizontal = nn.ModuleList(
            nn.Conv1d(config.item_dim, config.horizontal_filters, height, device=spec.device) for height in sorted(config.heights)
        )
        self.vertical = nn.Linear(spec.history_length, config.vertical_filters, bias=False, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """The outputs of all filters, `[N, heights * horizontal_filters + vertical_filters * d]`."""
        newest = self.vertical.in_features
        present = present[:, -newest:].unsqueeze(2)
        matrix = entries[:, -newest:].masked_fill(~present, 0.0)
        # windows that end in padding are set to zero, the lowest output of any other window
        found = (F.relu(self._windows(matrix)) * present).amax(dim=1)
        vertical = (self.vertical.weight[:, -matrix.shape[1] :] @ matrix).flatten(start_dim=1)
        return F.dropout(torch.cat([found, vertical], dim=1), self.dropout)

    def summaries(self, entries: Tensor, present: Tensor) -> Tensor:
        """The outputs of all filters at all places, `[N, H, heights * horizontal_filters + vertical_filters * d]`."""
        (newest, length), present = (self.vertical.in_features, entries.shape[1]), present.unsqueeze(2)
        if length > newest:
            # the matrix of a place lacks the oldest entries: windows that reach back to them differ from place to place
            return super().summaries(entries, present.squeeze(2))
        matrix = entries.masked_fill(~present, 0.0)
        found = (F.relu(self._windows(matrix)) * present).cummax(dim=1).values
        places = torch.arange(length, device=entries.device)
        age = places.unsqueeze(1) - places
        # the weights of all entries at all places, [filters, places, entries]
        weights = self.vertical.weight[:, newest - 1 - age.clamp(min=0)] * (age >= 0)
        vertical = torch.einsum("vts,nsd->ntvd", weights, matrix).flatten(start_dim=2)
        return F.dropout(torch.cat([found, vertical], dim=2), self.dropout)

    def _windows(self, matrix: Tensor) -> Tensor:
        """The outputs `[N, H, filters]` of all horizontal filters on the windows that end at each of the entries `[N, H, d]`.

        An output is a sum over the places of a window. One product computes all places of all filters; its parts are then shifted to the
        ends of their windows. On a CPU this takes half the time of separate convolutions.
        """
        convolutions = cast(list[nn.Conv1d], list(self.horizontal))
        reach = min(convolutions[-1].kernel_size[0], matrix.shape[1])
        # one weight per distance from the last entry of a window; the filters that reach this far are the last ones
        weights = [torch.cat([conv.weight[:, :, -1 - ago] for conv in convolutions if conv.kernel_size[0] > ago]) for ago in range(reach)]
        outputs, *earlier = torch.split(F.linear(matrix, torch.cat(weights)), [len(weight) for weight in weights], dim=2)
        outputs = outputs + torch.cat([conv.bias for conv in convolutions if conv.bias is not None])
        for ago, part in enumerate(earlier, start=1):
            outputs = outputs + F.pad(part[:, :-ago], (outputs.shape[2] - part.shape[2], 0, ago, 0))
        return outputs
