"""State trackers: from what an agent may know of a user to a state vector, and from texts to item vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces.data import Data
from recframe.interfaces.environment import EnvironmentSpec
from recframe.interfaces.shared import Shared
from recframe.interfaces.text_table import TextTable
from recframe.interfaces.types import Observation


class FrozenTable(Shared[Tensor]):
    """A tensor that a module reads but neither trains nor saves, shared by its copies."""


class ItemProjection(nn.Module):
    """Item vectors `[M, d]`: a linear map of the (standardized) text vectors, and a learned embedding per item if asked.

    The two are added, or, with `id_gate`, weighed in each dimension: v = g * text + (1 - g) * id, g = sigmoid(W [text | id] + b).
    Embeddings start at zero: an item is what its text says until more is learned of it. Where text vectors have no length, because the
    encoder does not read, embeddings are all there is, whether asked for or not; they start as N(0, 1 / d), so that items differ.

    An item's score is a product of a state and such a vector, so the projection is computed once per update for all items that the
    update looks at, not once per use.

    Raises
    ------
    ValueError: a gate where there are no texts, or no embeddings, to weigh.
    """

    def __init__(self, text_vectors: Tensor, dim: int, id_embeddings: bool = False, id_gate: bool = False) -> None:
        super().__init__()
        (count, length), device = text_vectors.shape, text_vectors.device
        if id_gate and not (length and id_embeddings):
            missing = "learned vectors (state_tracker.id_embeddings)" if length else "text vectors: the encoder reads none"
            raise ValueError(f"state_tracker.id_gate weighs an item's text against its learned vector, but there are no {missing}")
        self.texts = TextTable(text_vectors)
        self.linear = nn.Linear(length, dim, device=device) if length else None
        self.embedding = nn.Parameter(torch.zeros(count, dim, device=device)) if id_embeddings or not length else None
        if self.embedding is not None and not length:
            nn.init.normal_(self.embedding, std=dim**-0.5)
        self.gate = nn.Linear(2 * dim, dim, device=device) if id_gate else None

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """The vectors of all items, `[M, d]`, or of those numbered `rows` `[R]`, `[R, d]`."""
        learned = None if self.embedding is None else _chosen(self.embedding, rows)
        if self.linear is None:
            assert learned is not None
            return learned.clone()
        texts: Tensor = self.linear(_chosen(self.texts.values, rows))
        if learned is None:
            return texts
        if self.gate is None:
            return texts + learned
        return torch.lerp(learned, texts, self.gate(torch.cat([texts, learned], dim=1)).sigmoid())


def _chosen(table: Tensor, rows: Tensor | None) -> Tensor:
    return table if rows is None else F.embedding(rows, table)


class StateTracker(nn.Module, ABC):
    """Fuses history, feedback, profile and context into a state.

    Built as `factory(config, spec, data)`; `data` carries the text vectors. Subclasses set `state_dim` (S) and call this constructor,
    which makes the item projection that agents score with.

    A tracker must ignore padding exactly: prepending `PAD` to a history changes nothing.
    """

    state_dim: int

    def __init__(self, spec: EnvironmentSpec, data: Data, item_dim: int, id_embeddings: bool = False, id_gate: bool = False) -> None:
        super().__init__()
        if data.catalog.text_vectors is None:
            raise ValueError("a state tracker needs a catalogue with text vectors")
        self.spec = spec
        self.item_dim = item_dim
        self._data = Shared(data)
        self.item_projection = ItemProjection(data.catalog.text_vectors, item_dim, id_embeddings, id_gate)

    @property
    def data(self) -> Data:
        """The data it was built on, for agents that read more of them than a state, such as an item's popularity."""
        return self._data.values

    def project_items(self, rows: Tensor | None = None) -> Tensor:
        """Item vectors under the present weights: of all items, `[M, d]`, or of those numbered `rows` `[R]` int64, `[R, d]`.

        Agents that learn over a part of a large catalogue ask for rows; an item's vector must not depend on which others are asked for.
        """
        vectors: Tensor = self.item_projection(rows)
        return vectors

    @abstractmethod
    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]` of each user, given item vectors `[M, d]`.

        The observation's item numbers are rows of `items`: of all items, or of those that an agent numbered anew.
        """
