"""Item vectors: a projection of text vectors and, optionally, a learned embedding per item."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces.text_table import TextTable


class ItemProjection(nn.Module):
    """Item vectors `[M, d]`: a linear map of the (standardized) text vectors and, with `id_embeddings`, a learned embedding per item.

    The two are added. With `id_gate` they are weighted in each dimension: v = g * text + (1 - g) * id, g = sigmoid(W [text | id] + b).
    Embeddings start at zero, so that an item is represented by its text until something is learned about it. If the text vectors have
    length 0, because the encoder reads no text, items have embeddings in any case; these start as N(0, 1 / d), so that items differ.

    An item's score is the product of a state and such a vector. Compute the projection once per update for all items that the update
    reads, not once per use.

    Raises
    ------
    ValueError: `id_gate` without text vectors or without embeddings.
    """

    def __init__(self, text_vectors: Tensor, dim: int, id_embeddings: bool = False, id_gate: bool = False) -> None:
        super().__init__()
        (num_items, length), device = text_vectors.shape, text_vectors.device
        if id_gate and not (length and id_embeddings):
            missing = "learned vectors (state_tracker.id_embeddings)" if length else "text vectors: the encoder reads no text"
            raise ValueError(f"state_tracker.id_gate weights an item's text vector and its learned vector, but there are no {missing}")
        self.texts = TextTable(text_vectors)
        self.linear = nn.Linear(length, dim, device=device) if length else None
        self.embedding = nn.Parameter(torch.zeros(num_items, dim, device=device)) if id_embeddings or not length else None
        if self.embedding is not None and not length:
            nn.init.normal_(self.embedding, std=dim**-0.5)
        self.gate = nn.Linear(2 * dim, dim, device=device) if id_gate else None

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """The vectors of all items, `[M, d]`, or of the items `rows` `[R]`, `[R, d]`."""
        learned = None if self.embedding is None else _select(self.embedding, rows)
        if self.linear is None:
            assert learned is not None
            return learned.clone()
        texts: Tensor = self.linear(_select(self.texts.values, rows))
        if learned is None:
            return texts
        if self.gate is None:
            return texts + learned
        return torch.lerp(learned, texts, self.gate(torch.cat([texts, learned], dim=1)).sigmoid())


def _select(table: Tensor, rows: Tensor | None) -> Tensor:
    return table if rows is None else F.embedding(rows, table)
