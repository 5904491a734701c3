"""The convolutional tracker: short patterns in what was shown lately, wherever they stand in the history, and where they stand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec
from recframe_plugins.state_trackers.config import CNNConfig
from recframe_plugins.state_trackers.history import HistoryTracker


class CNNTracker(HistoryTracker):
    """Caser (Tang & Wang, WSDM 2018): convolutions over the H x d matrix of the newest entries as over an image; zero for an empty history.

    summary = [horizontal | vertical]. A horizontal filter of height h answers to every window of h entries one after another, and the
    largest of ReLU(answers) counts; a vertical one weighs the H entries, the same way in each of the d dimensions. The layer above both is
    the fusion.

    The matrix ends with the newest entry, and what is missing in front is zero. A window ends at an entry, and may begin before the first:
    so histories shorter than a filter have windows too, and how much padding there is in front makes no difference.
    """

    def __init__(self, config: CNNConfig, spec: EnvironmentSpec, data: Data) -> None:
        horizontal = len(config.heights) * config.horizontal_filters
        super().__init__(config, spec, data, summary_dim=horizontal + config.vertical_filters * config.item_dim)
        self.horizontal = nn.ModuleList(
            nn.Conv1d(config.item_dim, config.horizontal_filters, height, device=spec.device) for height in sorted(config.heights)
        )
        self.vertical = nn.Linear(spec.history_length, config.vertical_filters, bias=False, device=spec.device)

    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """What the filters found, `[N, heights * horizontal_filters + vertical_filters * d]`."""
        newest = self.vertical.in_features
        present = present[:, -newest:].unsqueeze(2)
        matrix = entries[:, -newest:].masked_fill(~present, 0.0)
        # windows that end in padding say nothing; zero is the least that any other says
        found = (F.relu(self._windows(matrix)) * present).amax(dim=1)
        return torch.cat([found, (self.vertical.weight[:, -matrix.shape[1] :] @ matrix).flatten(start_dim=1)], dim=1)

    def _windows(self, matrix: Tensor) -> Tensor:
        """What all horizontal filters answer to the windows that end at each of the entries `[N, H, d]`, `[N, H, filters]`.

        An answer is a sum over the places of a window. All filters' places are one product, the parts of which are then moved to where
        their windows end: on a CPU half of what the convolutions cost one by one.
        """
        reach = min(self.horizontal[-1].kernel_size[0], matrix.shape[1])
        # by how long before a window's last entry; the filters that reach so far are the last ones
        weights = [
            torch.cat([conv.weight[:, :, -1 - ago] for conv in self.horizontal if conv.kernel_size[0] > ago]) for ago in range(reach)
        ]
        answers, *earlier = F.linear(matrix, torch.cat(weights)).split([len(weight) for weight in weights], dim=2)
        answers = answers + torch.cat([conv.bias for conv in self.horizontal])
        for ago, part in enumerate(earlier, start=1):
            answers = answers + F.pad(part[:, :-ago], (answers.shape[2] - part.shape[2], 0, ago, 0))
        return answers
