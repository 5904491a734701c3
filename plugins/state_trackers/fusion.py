"""The last layer of every built-in tracker: what the history says, joined with whatever else is known of the visit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Data, EnvironmentSpec, Observation, Texts, TextTable, symlog


class TextLookup(nn.Module):
    """Projects the text vectors that observations refer to by row."""

    def __init__(self, vectors: Tensor, dim: int) -> None:
        super().__init__()
        self.texts = TextTable(vectors)
        self.linear = nn.Linear(vectors.shape[1], dim, device=vectors.device)

    def forward(self, rows: Tensor) -> Tensor:
        """Projections `[N, dim]` of the texts in `rows` `[N]`."""
        return F.relu(self.linear(self.texts.values[rows]))


class Fusion(nn.Module):
    """Concatenates the history's summary with profile, context and features, as far as there are any, and mixes them into the state.

    state = ReLU(LayerNorm(Linear([summary | profile | context | features])))
    """

    def __init__(self, summary_dim: int, state_dim: int, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__()
        self.profile = text_lookup(data.users.profiles if data.users is not None and spec.has_users else None, state_dim)
        self.context = text_lookup(data.contexts if spec.has_context else None, state_dim)
        self.num_features = spec.num_features
        texts = sum(lookup is not None for lookup in (self.profile, self.context))
        self.mix = nn.Linear(summary_dim + texts * state_dim + spec.num_features, state_dim, device=spec.device)
        self.norm = nn.LayerNorm(state_dim, device=spec.device)

    def forward(self, summary: Tensor, observation: Observation) -> Tensor:
        """The state `[N, S]`, given the history's summary `[N, summary_dim]`."""
        parts = [summary]
        if self.profile is not None:
            parts.append(self.profile(observation.user))
        if self.context is not None:
            parts.append(self.context(observation.context))
        if self.num_features:
            parts.append(symlog(observation.features))
        return F.relu(self.norm(self.mix(torch.cat(parts, dim=-1))))


def text_lookup(texts: Texts | None, dim: int) -> TextLookup | None:
    """A lookup of `texts`, or None where there are none or they have no vectors."""
    return None if texts is None or texts.vectors is None else TextLookup(texts.vectors, dim)
