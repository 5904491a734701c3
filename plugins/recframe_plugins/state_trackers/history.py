"""Base class of the built-in state trackers that read histories: entries modulated by feedback, then a summary, then the fusion."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.components import require_consistent
from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, StateTracker, symlog, trailing_windows
from recframe_plugins.state_trackers.config import StateTrackerConfig
from recframe_plugins.state_trackers.fusion import fusion_of


class FeedbackModulation(nn.Module):
    """(1 + A f) * v + B f: an item vector v modulated by its feedback f, so that liking and disliking an item differ.

    FiLM (Perez et al., 2018). With `feedback="add"` it is v + B f, all that a linear map of v beside f can say: whether an item was liked
    then does not change what its vector says. With `"none"` it is v. Feedback can be clicks, stars or seconds, so `symlog` brings it to
    one scale first.
    """

    def __init__(self, spec: EnvironmentSpec, item_dim: int, feedback: str = "film") -> None:
        super().__init__()
        self.scale = self._map(spec, item_dim) if feedback == "film" else None
        self.shift = self._map(spec, item_dim) if feedback != "none" else None

    @staticmethod
    def _map(spec: EnvironmentSpec, item_dim: int) -> nn.Linear:
        return nn.Linear(len(spec.signals), item_dim, bias=False, device=spec.device)

    def forward(self, vectors: Tensor, feedback: Tensor) -> Tensor:
        """Modulated vectors `[N, H, d]` of `vectors` `[N, H, d]` under `feedback` `[N, H, F]`."""
        if self.shift is None:
            return vectors
        feedback = symlog(feedback)
        if self.scale is None:
            shifted: Tensor = vectors + self.shift(feedback)
            return shifted
        # in place: tensors of this shape are the most expensive ones in an update
        factor = self.scale(feedback).add_(1)
        modulated: Tensor = (factor * vectors).add_(self.shift(feedback))
        return modulated


class HistoryTracker(StateTracker):
    """A state tracker whose subclasses define only the summary of the history.

    reach: the number of newest entries that a summary depends on; None: all.
    """

    reach: int | None = None

    def __init__(self, config: StateTrackerConfig, spec: EnvironmentSpec, data: Data, summary_dim: int) -> None:
        require_consistent(config)
        super().__init__(spec, data, config.item_dim, config.id_embeddings, config.id_gate)
        self.state_dim = config.state_dim
        self.modulation = FeedbackModulation(spec, config.item_dim, config.feedback)
        self.fusion = fusion_of(config, spec, data, summary_dim)

    @property
    def dropout(self) -> float:
        """The share that is left out at random now: `dropout_in_updates` in updates, none in acting and in targets."""
        return self.dropout_in_updates if self.training and torch.is_grad_enabled() else 0.0

    @abstractmethod
    def summarize(self, entries: Tensor, present: Tensor) -> Tensor:
        """A summary `[N, summary_dim]` of entries `[N, H, d]`. Entries with `present` `[N, H]` False are arbitrary and must be ignored."""

    def summaries(self, entries: Tensor, present: Tensor) -> Tensor:
        """The summaries `[N, H, summary_dim]` of the entries up to each place; a tracker that reads in order computes them in one pass."""
        length = entries.shape[1] if self.reach is None else min(self.reach, entries.shape[1])
        windows = trailing_windows(entries, length, 0.0).flatten(0, 1)
        known = trailing_windows(present.byte().unsqueeze(2), length, 0).flatten(0, 1).squeeze(2).bool()
        summaries: Tensor = self.summarize(windows, known).unflatten(0, present.shape)
        return summaries

    def entries(self, observation: Observation, items: Tensor) -> tuple[Tensor, Tensor]:
        """The entries `[N, H, d]` of the histories, and whether each is present, `[N, H]` bool."""
        vectors = F.embedding(observation.history_items.clamp(min=0), items)
        return self.modulation(vectors, observation.history_feedback), observation.history_items != PAD

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user, given all item vectors `[M, d]`."""
        state: Tensor = self.fusion(self.summarize(*self.entries(observation, items)), observation)
        return state

    def states(self, observation: Observation, items: Tensor) -> Tensor:
        """The states `[N, H, S]` at all places, from one pass over the entries; see `StateTracker.states`."""
        return self.fusion.at_places(self.summaries(*self.entries(observation, items)), observation)
