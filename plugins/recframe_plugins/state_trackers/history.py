"""What the built-in trackers share: a history whose entries carry their feedback, and the order of summary and fusion."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from recframe.components import require_consistent
from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, StateTracker, symlog
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.fusion import fusion_of


class FeedbackModulation(nn.Module):
    """(1 + A f) * v + B f: an item vector v modulated by its feedback f, so that a like and a dislike of one item differ.

    FiLM (Perez et al., 2018). Feedback may be clicks, stars or seconds, so it is brought to one scale first.
    """

    def __init__(self, spec: EnvironmentSpec, item_dim: int) -> None:
        super().__init__()
        self.scale = nn.Linear(len(spec.signals), item_dim, bias=False, device=spec.device)
        self.shift = nn.Linear(len(spec.signals), item_dim, bias=False, device=spec.device)

    def forward(self, vectors: Tensor, feedback: Tensor) -> Tensor:
        """Modulated vectors `[N, H, d]` of `vectors` `[N, H, d]` under `feedback` `[N, H, F]`."""
        feedback = symlog(feedback)
        # in place: of all that an update computes, tensors of this shape cost most
        factor = self.scale(feedback).add_(1)
        modulated: Tensor = (factor * vectors).add_(self.shift(feedback))
        return modulated


class HistoryTracker(StateTracker):
    """A tracker that differs from its siblings only in how it summarizes a history."""

    def __init__(self, config: StateTrackerConfig, spec: EnvironmentSpec, data: Data, summary_dim: int) -> None:
        require_consistent(config)
        super().__init__(spec, data, config.item_dim, config.id_embeddings, config.id_gate)
        self.state_dim = config.state_dim
        self.modulation = FeedbackModulation(spec, config.item_dim)
        self.fusion = fusion_of(config, spec, data, summary_dim)

    @abstractmethod
    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """A summary `[N, summary_dim]` of entries `[N, H, d]`; where `present` `[N, H]` is False they are arbitrary and must not count."""

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user, given all item vectors `[M, d]`."""
        present = observation.history_items != PAD
        vectors = F.embedding(observation.history_items.clamp(min=0), items)
        entries = self.modulation(vectors, observation.history_feedback)
        state: Tensor = self.fusion(self.summarize(entries, present), observation)
        return state
