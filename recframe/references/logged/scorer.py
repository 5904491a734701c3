"""What all recommenders of logs share: they are fitted to a log once, and score items by a user's history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.item_agents.search import ItemScores, positions_within
from recframe.references.logged.counted import CLICK, history_weights, interaction_matrix

LEAST = 1e-12
"""The scores of items of which a model knows nothing are above 0 by less than this, in the order of their popularity."""


class LogScorer(nn.Module, ABC):
    """Scores items for users by their histories, after it was fitted to a log.

    Implement:

    - `learn(matrix, log)`: set the buffers, given the matrix X `[S, M]` of what counts in the log's sequences. They may have other shapes
      than before: loading a state dict takes over its shapes.
    - `evidence(observation)`: the scores of the items; 0 where nothing is known. Called once it is fitted.

    Parameters
    ----------
    spec: the specification of the observations to come: M, the signals of `history_feedback`, the device, and whether they name users.
    weights: the value of an interaction: 1 (`click`), or that of a signal; see `recframe.references.logged.counted`.
    decay: factor of an item's weight for each item that came after it in the history.
    """

    learns_shapes = True
    popularity: Tensor

    def __init__(self, spec: EnvironmentSpec, weights: str = CLICK, decay: float = 1.0) -> None:
        super().__init__()
        self.spec = spec
        self.weights = weights
        self.decay = decay
        self.register_buffer("popularity", torch.zeros(0, device=spec.device))

    @abstractmethod
    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Set the buffers."""

    @abstractmethod
    def evidence(self, observation: Observation) -> ItemScores:
        """Scores of the items; 0 for those of which nothing is known."""

    @torch.no_grad()
    def fit(self, log: Log) -> None:
        """Learn from a log.

        Raises
        ------
        DataError: nothing in the log counts.
        """
        matrix = interaction_matrix(log, self.weights)
        # of equally popular items, the one that was taken last is the more popular
        latest = np.zeros(log.num_items, dtype=np.int64)
        np.maximum.at(latest, log.items.cpu().numpy(), log.timestamps.cpu().numpy() - int(log.timestamps.min()) + 1)
        self.set_popularity(torch.from_numpy(np.bincount(matrix.indices, minlength=log.num_items)), torch.from_numpy(latest))
        self.learn(matrix, log)

    def set_popularity(self, counts: Tensor, latest: Tensor | None = None) -> None:
        """Set the popularity `[M]` of the items; `latest` `[M]`, if given, decides between equal ones, and then the catalogue's order.

        An item's number becomes the share of the catalogue that it comes before, in [0, 1).
        """
        least_first = torch.arange(len(counts) - 1, -1, -1, device=counts.device)
        for values in (latest, counts):
            if values is not None:
                least_first = least_first[values.to(counts.device)[least_first].argsort(stable=True)]
        rank = torch.empty_like(least_first).scatter_(0, least_first, torch.arange(len(counts), device=counts.device))
        self.popularity = (rank / len(counts)).float().to(self.spec.device)

    @torch.no_grad()
    def scores(self, observation: Observation, repeats: bool = False) -> ItemScores:
        """Scores of the items: the evidence, and where there is none, the popularity.

        repeats: whether items of the history are scored like others; if not, they come after all others.
        """
        known = self.evidence(observation) if len(self.popularity) else NoEvidence(len(observation.user), self.spec.device)
        return PreferredItems(known, self.popularity, None if repeats else observation.history_items)

    def history_weights(self, observation: Observation) -> Tensor:
        """The weight of each item of the history, `[N, H]`."""
        return history_weights(observation, self.spec.signals, self.weights, self.decay)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, buffer in self._buffers.items():
            saved = state_dict.get(prefix + name)
            if buffer is not None and saved is not None and saved.shape != buffer.shape:
                setattr(self, name, buffer.new_empty(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class NoEvidence(NamedTuple):
    """Scores of 0 for N users."""

    num_users: int
    device: torch.device

    def of(self, chosen: Tensor) -> Tensor:
        """Zeros `[N, C]`."""
        return torch.zeros_like(chosen, dtype=torch.float32)

    def between(self, first: int, last: int) -> Tensor:
        """Zeros `[N, last - first]`."""
        return torch.zeros(self.num_users, last - first, device=self.device)


class PreferredItems(NamedTuple):
    """Scores with an order of the items of which nothing is known, and with the items of the history after all others.

    evidence: the scores.   popularity: `[M]` in [0, 1), or `[0]`: not known.
    history: `[N, H]`, or None: its items are scored like others.
    """

    evidence: ItemScores
    popularity: Tensor
    history: Tensor | None

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        scores = self.evidence.of(chosen)
        if len(self.popularity):
            scores = _ordered(scores, self.popularity[chosen])
        if self.history is None:
            return scores
        return torch.where((chosen.unsqueeze(2) == self.history.unsqueeze(1)).any(dim=2), _last(scores), scores)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        scores = self.evidence.between(first, last)
        if len(self.popularity):
            scores = _ordered(scores, self.popularity[first:last])
        if self.history is None:
            return scores
        # PAD stands for the additional column at the end
        columns = positions_within(self.history, first, last) % (last - first + 1)
        padded = torch.nn.functional.pad(scores, (0, 1))
        return padded.scatter(1, columns, _last(padded.gather(1, columns)))[:, :-1]


def _ordered(scores: Tensor, popularity: Tensor) -> Tensor:
    return torch.where(scores == 0, LEAST * popularity, scores)


def _last(scores: Tensor) -> Tensor:
    """The scores in the same order, below all others: between -3e30 and -1e30."""
    return -1e30 * (2 - scores / (1 + scores.abs()))
