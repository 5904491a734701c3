"""Base class of the built-in state trackers that read histories: entries modulated by feedback, then a summary, then the fusion."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from recframe.components import require_consistent
from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, StateTracker, symlog
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.fusion import fusion_of


class FeedbackModulation(nn.Module):
    """(1 + A f) * v + B f: an item vector v modulated by its feedback f, so that liking and disliking an item differ.

    FiLM (Perez et al., 2018). Feedback can be clicks, stars or seconds, so `symlog` brings it to one scale first.
    """

    def __init__(self, spec: EnvironmentSpec, item_dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(len(spec.signals), item_dim, bias=False, device=spec.device)
        self.shift = nn.Linear(len(spec.signals), item_dim, bias=False, device=spec.device)

    def forward(self, vectors: Tensor, feedback: Tensor) -> Tensor:
        """Modulated vectors `[N, H, d]` of `vectors` `[N, H, d]` under `feedback` `[N, H, F]`."""
        feedback = symlog(feedback)
        # in place: tensors of this shape are the most expensive ones in an update
        factor = self.scale(feedback).add_(1)
        modulated: Tensor = (factor * vectors).add_(self.shift(feedback))
        return modulated


class HistoryTracker(StateTracker):
    """A state tracker whose subclasses define only the summary of the history."""

    def __init__(self, config: StateTrackerConfig, spec: EnvironmentSpec, data: Data, summary_dim: int) -> None:
        require_consistent(config)
        super().__init__(spec, data, config.item_dim, config.id_embeddings, config.id_gate)
        self.state_dim = config.state_dim
        self.modulation = FeedbackModulation(spec, config.item_dim)
        self.fusion = fusion_of(config, spec, data, summary_dim)

    @abstractmethod
    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """A summary `[N, summary_dim]` of entries `[N, H, d]`. Entries with `present` `[N, H]` False are arbitrary and must be ignored."""

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user, given all item vectors `[M, d]`."""
        present = observation.history_items != PAD
        vectors = F.embedding(observation.history_items.clamp(min=0), items)
        entries = self.modulation(vectors, observation.history_feedback)
        state: Tensor = self.fusion(self.summarize(entries, present), observation)
        return state
